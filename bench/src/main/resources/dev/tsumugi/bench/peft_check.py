"""Answers greedily with what the engine wrote, by PEFT and by Transformers. Arguments: model, adapter, merged model, tokens; the prompt on standard input."""
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

model_folder, adapter_folder, merged_folder, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
prompt = json.load(sys.stdin)


def answer(model):
    tokens, logprobs = list(prompt), []
    with torch.no_grad():
        for _ in range(count):
            logits = model(input_ids=torch.tensor([tokens])).logits[0, -1].float()
            best = int(logits.argmax())
            logprobs.append(float(torch.log_softmax(logits, -1)[best]))
            tokens.append(best)
    return {"tokens": tokens[len(prompt):], "logprobs": logprobs}


def base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


adapted = PeftModel.from_pretrained(base(model_folder), adapter_folder).eval()
print(json.dumps({"adapter": answer(adapted), "merged": answer(base(merged_folder))}))
