"""Networks of text: attention, tied embeddings, states, pairs of sentences."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real.strangers.comparison import Case, N, case, draw, mean, whole


@case("x_transformers", "rotary decoder, tied embedding; next token")
def decoder() -> Case:
    """Predict the next token, each sample's loss the mean over its tokens."""
    from x_transformers import Decoder, TransformerWrapper

    tokens = whole(17, N, 9)

    def make() -> nn.Module:
        layers = Decoder(dim=16, depth=2, heads=2, rotary_pos_emb=True, attn_dim_head=8)
        return TransformerWrapper(num_tokens=17, max_seq_len=16, attn_layers=layers, tie_embedding=True)

    return Case(
        make,
        (tokens[:, :-1], tokens[:, 1:]),
        lambda model: mean([F.cross_entropy(model(each[None, :-1])[0], each[1:]) for each in tokens]),
    )


@case("transformers", "Llama; the loss in the output (`--loss output`)")
def llama() -> Case:
    """Take the loss that the network gives itself."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokens = whole(31, N, 8)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=31, num_key_value_heads=1, max_position_embeddings=16, **sizes)
    rows = [{"input_ids": each, "labels": each} for each in tokens]
    return Case(
        lambda: LlamaForCausalLM(config),
        rows,
        lambda model: mean([model(input_ids=each[None], labels=each[None]).loss for each in tokens]),
        loss="output",
        settings={"batch_size": 4},
    )


@case("transformers", "T5, encoder and decoder, masked labels")
def t5() -> Case:
    """Leave labels of -100 out."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokens, labels = whole(31, N, 7), whole(31, N, 5, seed=4)
    config = T5Config(vocab_size=31, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    rows = [{"input_ids": one, "labels": other} for one, other in zip(tokens, labels, strict=True)]
    return Case(
        lambda: T5ForConditionalGeneration(config),
        rows,
        lambda model: mean(
            [model(input_ids=one[None], labels=two[None]).loss for one, two in zip(tokens, labels, strict=True)]
        ),
        loss="output",
    )


@case("transformers", "CLIP; contrast within a batch, batches as a list")
def clip() -> Case:
    """Compare the samples of a batch with each other."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = CLIPTextConfig(vocab_size=31, max_position_embeddings=8, **small).to_dict()
    vision = CLIPVisionConfig(image_size=8, patch_size=4, **small).to_dict()
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    batches = [{"input_ids": whole(31, 4, 6, seed=k), "pixel_values": draw(4, 3, 8, 8, seed=k)} for k in range(3)]

    def contrast(model: nn.Module, batch: Any) -> Tensor:
        found: Tensor = model(**batch, return_loss=True).loss
        return found

    return Case(lambda: CLIPModel(config), batches, lambda m: mean([contrast(m, each) for each in batches]), contrast)


@case("transformers", "Mamba, state space model")
def mamba() -> Case:
    """Scan a state."""
    from transformers import MambaConfig, MambaForCausalLM

    tokens = whole(31, N, 8)
    config = MambaConfig(vocab_size=31, hidden_size=16, state_size=4, num_hidden_layers=2)
    return Case(
        lambda: MambaForCausalLM(config),
        (tokens[:, :-1], tokens[:, 1:]),
        lambda model: mean([F.cross_entropy(model(each[None, :-1]).logits[0], each[1:]) for each in tokens]),
    )


@case("performer_pytorch", "Performer; random features in buffers, left alike")
def performer() -> Case:
    """Attend through random features, which are buffers."""
    from performer_pytorch import Performer

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = Performer(dim=16, depth=1, heads=2, dim_head=8), nn.Linear(16, 3)
            for name, buffer in self.named_buffers():
                if name.endswith("projection_matrix"):
                    buffer.copy_(draw(*buffer.shape))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.head(self.body(x).mean(1))
            return found

    x, y = draw(N, 6, 16), whole(3, N)
    return Case(Net, (x, y), lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]))


@case("sentence_transformers", "pairs of sentences; cosine of pooled BERTs")
def sentence_pairs() -> Case:
    """Run one network on both sentences of a pair."""
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
            self.body, self.pool = BertModel(BertConfig(vocab_size=31, **small)), Pooling(16)

        def forward(self, tokens: Tensor) -> Tensor:
            mask = torch.ones_like(tokens)
            told = {"token_embeddings": self.body(tokens, mask).last_hidden_state, "attention_mask": mask}
            found: Tensor = self.pool(told)["sentence_embedding"]
            return found

    first, second, score = whole(31, N, 6), whole(31, N, 6, seed=9), draw(N).tanh()

    def each(model: nn.Module, batch: Any) -> Tensor:
        return (F.cosine_similarity(model(batch[0]), model(batch[1])) - batch[2]).square()

    rows = (first, second, score)
    return Case(Net, rows, lambda m: mean([each(m, [t[k : k + 1] for t in rows])[0] for k in range(N)]), each)
