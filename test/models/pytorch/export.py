"""What PyTorch makes of the models, for ../pytorch.test.ts: writes pytorch.json beside this file.

Debian's python3-torch and python3-torchvision (1.13, 0.14) suffice: /usr/bin/python3 export.py. Parameters, inputs and
directions are numbers that a hash of the name and the place gives, so that only results have to be kept.
"""
import json
import math
import os

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def uniform(name, count):
    """Numbers in [-1, 1) by a 32-bit mix of the name's FNV-1a hash and the place."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2147483648 - 1


def tensor(name, shape):
    return torch.from_numpy(uniform(name, math.prod(shape)).reshape(shape))


def value(name, shape):
    u = tensor(name, shape)
    if name.endswith("running_var"):
        return 1 + 0.5 * u
    if len(shape) > 1:
        return u * math.sqrt(6 / math.prod(shape[1:]))
    return 1 + 0.2 * u if name.endswith("weight") else 0.1 * u


class BasicBlock(nn.Module):
    def __init__(self, inputs, channels, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.kind = shortcut if stride > 1 else "identity"
        self.more = channels - inputs
        if self.kind == "B":
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.kind == "A":
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        elif self.kind == "B":
            x = self.shortcut(x)
        return F.relu(y + x)


class SmallResnet(nn.Module):
    def __init__(self, shortcut, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stage = lambda a, b, s: nn.Sequential(*(BasicBlock(b if k else a, b, 1 if k else s, shortcut) for k in range(3)))
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class Separable(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Mobilenet(nn.Module):
    def __init__(self, width, classes=10):
        super().__init__()
        sizes = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
        own = int(32 * width)
        self.conv1 = nn.Conv2d(3, own, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(own)
        layers = []
        for channels, stride in sizes:
            layers.append(Separable(own, int(channels * width), stride))
            own = int(channels * width)
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(own, classes)

    def forward(self, x):
        return self.linear(self.layers(F.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


def sines(length, features):
    position = torch.arange(length)[:, None]
    rate = torch.exp(torch.arange(0, features, 2) * (-math.log(10000) / features))
    table = torch.zeros(length, features)
    table[:, 0::2], table[:, 1::2] = torch.sin(position * rate), torch.cos(position * rate)
    return table


def causal(length):
    return torch.triu(torch.ones(length, length, dtype=torch.bool), 1)


class LanguageModel(nn.Module):
    def __init__(self, words, features, heads, layers, norm_first, activation):
        super().__init__()
        self.embedding = nn.Embedding(words, features)
        one = nn.TransformerEncoderLayer(features, heads, 4 * features, 0, activation, batch_first=True, norm_first=norm_first)
        self.layers = nn.ModuleList(nn.TransformerEncoder(one, layers).layers)
        self.norm = nn.LayerNorm(features) if norm_first else None
        self.generator = nn.Linear(features, words)
        self.features = features

    def forward(self, ids):
        x = self.embedding(ids) * math.sqrt(self.features) + sines(ids.shape[1], self.features)
        for layer in self.layers:
            x = layer(x, src_mask=causal(ids.shape[1]), src_key_padding_mask=ids == 0)
        return self.generator(x if self.norm is None else self.norm(x))


class Translator(nn.Module):
    def __init__(self, source, target, features, heads, layers):
        super().__init__()
        self.source_embedding, self.target_embedding = nn.Embedding(source, features), nn.Embedding(target, features)
        whole = nn.Transformer(features, heads, layers, layers, 4 * features, 0, batch_first=True, norm_first=True)
        self.encoder, self.decoder = whole.encoder, whole.decoder
        self.generator = nn.Linear(features, target)
        self.features = features

    def forward(self, source, target):
        embed = lambda table, ids: table(ids) * math.sqrt(self.features) + sines(ids.shape[1], self.features)
        memory = self.encoder(embed(self.source_embedding, source), src_key_padding_mask=source == 0)
        y = self.decoder(
            embed(self.target_embedding, target),
            memory,
            tgt_mask=causal(target.shape[1]),
            tgt_key_padding_mask=target == 0,
            memory_key_padding_mask=source == 0,
        )
        return self.generator(y)


def words(name, count, length, vocabulary):
    """Words that are not padding, and in all samples but the first padding at the end."""
    ids = 1 + ((tensor(name, (count, length)) + 1) / 2 * (vocabulary - 1)).floor().long()
    for b in range(1, count):
        ids[b, length - b :] = 0
    return ids


def images(side):
    return lambda count: [tensor("input", (count, 3, side, side))]


def classes_of(count, classes):
    return F.one_hot(torch.arange(count) % classes, classes).double()


CASES = {
    "resnet18": (torchvision.models.resnet18(num_classes=5), images(40), 3, 5, None),
    "resnet50": (torchvision.models.resnet50(num_classes=3), images(36), 2, 3, None),
    "resnet20 with shortcuts A": (SmallResnet("A"), images(16), 3, 10, None),
    "resnet20 with shortcuts B": (SmallResnet("B"), images(16), 3, 10, None),
    "mobilenet": (Mobilenet(0.5), images(32), 3, 10, None),
    "languageModel, norms before": (
        LanguageModel(11, 8, 2, 2, True, "gelu"), lambda n: [words("source", n, 6, 11)], 3, 11, 0.1),
    "languageModel, norms behind": (
        LanguageModel(11, 8, 2, 2, False, "relu"), lambda n: [words("source", n, 6, 11)], 3, 11, 0),
    "transformer": (
        Translator(9, 11, 8, 2, 2), lambda n: [words("source", n, 7, 9), words("target", n, 5, 11)], 3, 11, 0.1),
}


def results(name, mode):
    model, inputs, count, classes, smoothing = CASES[name]
    model.train(mode == "training")
    with torch.no_grad():
        for key, own in model.state_dict().items():
            if own.is_floating_point():
                own.copy_(value(key, own.shape))
    given = inputs(count)
    outputs = model(*given)
    if smoothing is None:
        loss = F.cross_entropy(outputs, classes_of(count, classes))
    else:
        wanted = torch.roll(given[-1], 1, 1)
        loss = F.cross_entropy(outputs.transpose(1, 2), wanted, ignore_index=0, label_smoothing=smoothing)
    computed = {"loss": float(loss), "outputs": outputs.detach().flatten().tolist()}
    if mode == "evaluation":
        return computed
    named = dict(model.named_parameters())
    gradient = torch.autograd.grad(loss, named.values(), create_graph=True)
    directions = [tensor("direction/" + key, own.shape) for key, own in named.items()]
    slope = sum((g * v).sum() for g, v in zip(gradient, directions))
    product = torch.autograd.grad(slope, named.values())
    along = lambda parts: {
        key: float((part * tensor("probe/" + key, part.shape)).sum()) for key, part in zip(named, parts)
    }
    return {
        **computed,
        "gradient": along(gradient),
        "product": along(product),
        "norms": {"gradient": float(sum((g**2).sum() for g in gradient).sqrt()),
                  "product": float(sum((h**2).sum() for h in product).sqrt())},
        "statistics": {
            key: float((own * tensor("probe/" + key, own.shape)).sum())
            for key, own in model.state_dict().items()
            if "running" in key
        },
    }


def main():
    found = {}
    for name, (model, *_) in CASES.items():
        found[name] = {
            "shapes": {key: list(own.shape) for key, own in model.state_dict().items() if own.is_floating_point()},
            **{mode: results(name, mode) for mode in ("evaluation", "training")},
        }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch.json"), "w") as file:
        json.dump({"torch": torch.__version__, "cases": found}, file, separators=(",", ":"))
        file.write("\n")


main()
