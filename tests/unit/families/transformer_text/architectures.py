"""Tiny encoders of every architecture that is tested, with random weights and one tokenizer for all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ("the", "book", "box", "lamp", "arrived", "broken", "excellent", "on", "monday", "with", "paper", "cover")
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TOKENS = [*SPECIAL, *WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
_IDS: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "mask_token_id": 4}
_BERT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
_ROBERTA: dict[str, Any] = {**_BERT, "max_position_embeddings": 66, "type_vocab_size": 1}
_LLAMA: dict[str, Any] = {**_BERT, "num_key_value_heads": 1, "head_dim": 16}
_T5: dict[str, Any] = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 1, "num_heads": 2}
_XLM: dict[str, Any] = {"emb_dim": 32, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 64, "n_langs": 1}
_DEBERTA: dict[str, Any] = {
    **_BERT,
    "relative_attention": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "type_vocab_size": 0,
}

WORKING: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "albert": ("Albert", {**_BERT, "embedding_size": 16}, 64),
    "bert": ("Bert", _BERT, 64),
    "bert-generation": ("BertGeneration", _BERT, 64),
    "big_bird": ("BigBird", {**_BERT, "attention_type": "original_full"}, 64),
    "camembert": ("Camembert", _ROBERTA, 64),
    "convbert": ("ConvBert", {**_BERT, "embedding_size": 32}, 64),
    "data2vec-text": ("Data2VecText", _ROBERTA, 64),
    "deberta": ("Deberta", _DEBERTA, 64),
    "deberta-v2": ("DebertaV2", {**_DEBERTA, "position_buckets": 16, "share_att_key": True}, 64),
    "distilbert": (
        "DistilBert",
        {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64},
        64,
    ),
    "electra": ("Electra", {**_BERT, "embedding_size": 16}, 64),
    "ernie": ("Ernie", _BERT, 64),
    "esm": ("Esm", {**_ROBERTA, "position_embedding_type": "rotary"}, 66),
    "eurobert": ("EuroBert", _LLAMA, 64),
    "flaubert": ("Flaubert", {**_XLM, "pad_index": 1}, 64),
    "fnet": (
        "FNet",
        {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64, "max_position_embeddings": 64},
        64,
    ),
    "gemma3_text": ("Gemma3Text", _LLAMA, 64),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}, 64),
    "ibert": ("IBert", _ROBERTA, 64),
    "jina_embeddings_v3": ("JinaEmbeddingsV3", _ROBERTA, 66),
    "layoutlm": ("LayoutLM", _BERT, 64),
    "llama": ("Llama", _LLAMA, 64),
    "longformer": ("Longformer", {**_ROBERTA, "attention_window": [8]}, 64),
    "luke": ("Luke", {**_ROBERTA, "entity_vocab_size": 20, "entity_emb_size": 8}, 64),
    "megatron-bert": ("MegatronBert", _BERT, 64),
    "mobilebert": (
        "MobileBert",
        {**_BERT, "embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
        64,
    ),
    "modernbert": ("ModernBert", {**_BERT, "cls_token_id": 0, "sep_token_id": 2}, 64),
    "mpnet": ("MPNet", {**_ROBERTA}, 64),
    "mra": ("Mra", _ROBERTA, 66),
    "mt5": ("MT5", _T5, None),
    "nomic_bert": ("NomicBert", _BERT, 64),
    "nystromformer": ("Nystromformer", {**_BERT, "num_landmarks": 64, "segment_means_seq_len": 64}, 64),
    "opt": ("OPT", {**_BERT, "word_embed_proj_dim": 32, "ffn_dim": 64}, 64),
    "qwen2": ("Qwen2", _LLAMA, 64),
    "qwen3": ("Qwen3", _LLAMA, 64),
    "rembert": ("RemBert", {**_BERT, "input_embedding_size": 16, "output_embedding_size": 16}, 64),
    "roberta": ("Roberta", _ROBERTA, 64),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", _ROBERTA, 64),
    "roc_bert": (
        "RoCBert",
        {
            **_BERT,
            "pronunciation_vocab_size": 50,
            "shape_vocab_size": 50,
            "pronunciation_embed_dim": 8,
            "shape_embed_dim": 8,
        },
        64,
    ),
    "roformer": ("RoFormer", {**_BERT, "embedding_size": 32}, 64),
    "splinter": ("Splinter", _BERT, 64),
    "squeezebert": ("SqueezeBert", {**_BERT, "embedding_size": 32}, 64),
    "t5": ("T5", _T5, None),
    "umt5": ("UMT5", _T5, None),
    "xlm": ("XLM", {**_XLM, "pad_index": 1}, 64),
    "xlm-roberta": ("XLMRoberta", _ROBERTA, 64),
    "xlm-roberta-xl": ("XLMRobertaXL", _ROBERTA, 64),
    "xlnet": ("XLNet", {"d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 64}, None),
    "xmod": ("Xmod", {**_ROBERTA, "languages": ["en_XX"], "default_language": "en_XX"}, 64),
    "yoso": ("Yoso", _ROBERTA, 66),
}
"""Name -> class of transformers without `Config`, keys, and tokens that it reads; None: as many as there are."""
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "bart": ("Bart", {"d_model": 32}, "is no encoder: it writes texts"),
    "clip_text": ("CLIPText", _BERT, "cannot"),
    "funnel": (
        "Funnel",
        {"block_sizes": [1, 1], "block_repeats": [1, 1], "d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 64},
        "cannot",
    ),
    "nystromformer-landmarks": (
        "Nystromformer",
        {**_BERT, "num_landmarks": 4, "segment_means_seq_len": 64},
        "cannot",
    ),
    "xlm": ("XLM", {**_XLM, "pad_index": 1}, "cannot be exported"),
}
"""The same, with what is told of them."""


def tokenizer() -> Tokenizer:
    """WordPiece of some words and letters, with what stands around a text."""
    made = Tokenizer(models.WordPiece({token: place for place, token in enumerate(_TOKENS)}, unk_token="<unk>"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(SPECIAL))
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return made


def write_architecture(folder: Path, name: str, tokens: int = 0) -> Path:
    """An encoder of the architecture as transformers itself saves it."""
    import torch
    import transformers

    kind, keys, _ = WORKING.get(name) or REFUSED[name]
    made = tokenizer()
    config = getattr(transformers, f"{kind}Config")(vocab_size=tokens or made.get_vocab_size(), **{**_IDS, **keys})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config.architectures = [f"{kind}Model"]
        network: Any = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        for key, values in network.named_parameters():
            if values.ndim > 1 and not re.search("scaling|norm", key):
                values.data.normal_(0, 0.2)
        for module in network.modules():
            # Training leaves the vector of padding at zero.
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight.data[module.padding_idx] = 0
    network.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made,
        cls_token="<s>",
        sep_token="</s>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(folder)
    return folder
