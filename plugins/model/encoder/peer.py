# Log-probabilities of transformers' BertForPreTraining with the parameters of encoder_test.cpp.
# SPDX-License-Identifier: Apache-2.0
import json
import sys

import torch
from transformers import BertConfig, BertForPreTraining

given = json.load(open(sys.argv[1]))
model = BertForPreTraining(BertConfig(
    vocab_size=13, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=16, hidden_act="gelu", layer_norm_eps=1e-12)).eval()
ours = {k: torch.tensor(v) for k, v in given["values"].items() if k != "score.weight"}
own = model.state_dict()
tied = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias"}
model.load_state_dict({k: ours[tied.get(k, k)].reshape(v.shape) if k != "bert.embeddings.position_ids" else v
                       for k, v in own.items()})
rows = []
with torch.no_grad():
    for row in given["rows"]:
        out = model(input_ids=torch.tensor([row["ids"]]), token_type_ids=torch.tensor([row["segment"]]))
        rows.append({"logprob": out.prediction_logits[0].log_softmax(-1).tolist(),
                     "next": out.seq_relationship_logits[0].log_softmax(-1).tolist()})
json.dump({"rows": rows}, open(sys.argv[2], "w"))
