"""Uses the official OpenAI client as any program would; OPENAI_BASE_URL and OPENAI_API_KEY say where. Each check prints one line."""

import base64
import json
import struct

import openai

client = openai.OpenAI(timeout=180, max_retries=0)
MESSAGES = [{"role": "user", "content": "Say hello in one short sentence."}]


def models():
    names = [model.id for model in client.models.list()]
    assert len(names) >= 2, names
    assert client.models.retrieve(names[0]).id == names[0]
    return names[0], names[-1]


def chat(model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=24, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content.strip(), answer
    assert choice.finish_reason in ("stop", "length"), choice
    assert answer.usage.completion_tokens > 0 and answer.usage.prompt_tokens > 0, answer.usage
    assert answer.usage.total_tokens == answer.usage.completion_tokens + answer.usage.prompt_tokens, answer.usage
    return choice.message.content


def chat_stream(model):
    # Not compared with the whole answer: with the default, fast precision a prompt that is cached may round otherwise.
    pieces = []
    finish = None
    chunks = client.chat.completions.create(
        model=model, messages=MESSAGES, max_tokens=24, temperature=0, stream=True
    )
    for chunk in chunks:
        if chunk.choices:
            pieces.append(chunk.choices[0].delta.content or "")
            finish = chunk.choices[0].finish_reason or finish
    assert len([piece for piece in pieces if piece]) > 1, pieces
    assert "".join(pieces).strip(), pieces
    assert finish in ("stop", "length"), finish


def structured(model):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 30}, "people": {"type": "integer", "minimum": 0}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Name a city and how many people live there."}],
        max_tokens=80,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": schema}},
        logprobs=True,
        top_logprobs=1,
    )
    choice = answer.choices[0]
    city = json.loads(choice.message.content)
    assert set(city) == {"city", "people"} and len(city["city"]) <= 30 and isinstance(city["people"], int), city
    assert choice.finish_reason == "stop" and choice.logprobs.content, choice
    digits = client.completions.create(
        model=model, prompt="The year is ", max_tokens=9, n=2, stop=["5", "0"], extra_body={"guided_regex": "[0-9]{8}"}
    )
    assert all(c.text.isdigit() or not c.text for c in digits.choices), digits
    assert not any("5" in c.text or "0" in c.text for c in digits.choices), digits


def leaves_early(model):
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Count from one to two hundred."}], max_tokens=400, stream=True
    )
    next(iter(stream))
    stream.close()


def completion(model):
    answer = client.completions.create(model=model, prompt="The capital of France is", max_tokens=8, temperature=0)
    assert answer.choices[0].text, answer


def embeddings(model):
    texts = ["Cats sleep most of the day.", "A cat naps for hours.", "The invoice is due in March."]
    answer = client.embeddings.create(model=model, input=texts)
    vectors = [item.embedding for item in answer.data]
    assert len(vectors) == 3 and len(set(map(len, vectors))) == 1
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-3 for vector in vectors)
    similar = sum(a * b for a, b in zip(vectors[0], vectors[1]))
    other = sum(a * b for a, b in zip(vectors[0], vectors[2]))
    assert similar > other, (similar, other)
    assert answer.usage.prompt_tokens > 0
    floats = client.embeddings.create(model=model, input=texts[0], encoding_format="float").data[0].embedding
    encoded = client.embeddings.create(model=model, input=texts[0], encoding_format="base64").data[0].embedding
    decoded = struct.unpack("<%df" % len(floats), base64.b64decode(encoded)) if isinstance(encoded, str) else encoded
    assert all(abs(a - b) < 1e-5 for a, b in zip(floats, decoded))


def errors(model):
    for kind, call in (
        (openai.NotFoundError, lambda: client.chat.completions.create(model="no-such-model", messages=MESSAGES)),
        (openai.BadRequestError, lambda: client.chat.completions.create(model=model, messages=[])),
        (
            openai.BadRequestError,
            lambda: client.chat.completions.create(
                model=model,
                messages=MESSAGES,
                response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"not": {}}}},
            ),
        ),
        (openai.BadRequestError, lambda: client.embeddings.create(model="any", input=[1, 2, 3])),
        (openai.NotFoundError, lambda: client.embeddings.create(model="no-such-model", input="text")),
        (openai.AuthenticationError, lambda: client.with_options(api_key="wrong").models.list()),
    ):
        try:
            call()
        except kind as refusal:
            assert refusal.body and refusal.body["message"], refusal.body
        else:
            raise AssertionError("expected " + kind.__name__)


chat_model, embedding_model = models()
print("models:", chat_model, embedding_model)
print("chat:", json.dumps(chat(chat_model)))
chat_stream(chat_model)
print("stream: ok")
structured(chat_model)
print("structured: ok")
leaves_early(chat_model)
print("cancel: ok")
completion(chat_model)
print("completion: ok")
embeddings(embedding_model)
print("embeddings: ok")
errors(chat_model)
print("errors: ok")
