#!/usr/bin/env python3
"""Writes a GGUF with every tensor dequantised to F32 (metadata kept), so that all peers decode the same weights.

    python gguf_f32.py IN.gguf OUT.gguf

Needs: gguf 0.19. SPDX-License-Identifier: Apache-2.0
"""
import sys

import gguf
import numpy as np

reader = gguf.GGUFReader(sys.argv[1])
arch = bytes(reader.fields["general.architecture"].parts[-1]).decode()
writer = gguf.GGUFWriter(sys.argv[2], arch)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
        continue
    value = field.contents()
    kind = field.types[0]
    writer.add_key_value(name, value, kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
writer.add_file_type(gguf.LlamaFileType.ALL_F32)
for t in reader.tensors:
    data = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
    writer.add_tensor(t.name, data.reshape([int(n) for n in reversed(t.shape)]))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
