"""Networks nobody here wrote: attention, a tied embedding, inputs that are a dict.

    pip install transformers x-transformers && python examples/pypi_networks.py

A few seconds; writes ``vit.pt``, ``gpt2.pt`` and ``bert.pt`` here: small, random weights. docs/networks.md goes on.
"""

import torch

ENDS = {"bos_token_id": 0, "eos_token_id": 0}


def vit():
    """Attention: a vision transformer of x-transformers."""
    from x_transformers import Encoder, ViTransformerWrapper

    return ViTransformerWrapper(
        image_size=8, patch_size=4, channels=1, num_classes=10, attn_layers=Encoder(dim=32, depth=2, heads=4)
    )


def gpt2():
    """A tied embedding: GPT-2 of transformers, whose output layer is its token embedding."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=4, **ENDS))


def tokens():
    """Sequences of 12 tokens, each to be predicted from those before it."""
    text = torch.randint(0, 64, (48, 13), generator=torch.Generator().manual_seed(0))
    return {"input_ids": text[:, :-1], "labels": text[:, 1:]}


def bert():
    """Inputs that are a dict: BERT of transformers with a mask, as a classifier."""
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 16}
    return BertForSequenceClassification(BertConfig(num_hidden_layers=2, num_attention_heads=4, **sizes))


def sentences():
    generator = torch.Generator().manual_seed(1)
    length = torch.randint(4, 13, (48, 1), generator=generator)
    return {
        "input_ids": torch.randint(0, 64, (48, 12), generator=generator),
        "attention_mask": (torch.arange(12) < length).long(),
        "labels": torch.randint(0, 2, (48,), generator=generator),
    }


def main():
    for make in (vit, gpt2, bert):
        torch.manual_seed(0)
        torch.save(make().state_dict(), f"{make.__name__}.pt")


if __name__ == "__main__":
    main()
