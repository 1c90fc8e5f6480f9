"""Right nets that are easily called wrong: kinks, ties, scales, randomness, sharing, unusual operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.torch_faults import Penalised, built, images, named, plain_net, rows, tokens
from tests.gradients.independent.torch_parts import Attention

CASES = Cases()
F = nn.functional


class Apply(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> Tensor:
        return self.function(*x)


def around(activation: nn.Module, seed: int, dtype: str, *, scale: float = 1.0) -> Built:
    x, y = rows(seed, 10, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=activation, fc2=nn.Linear(8, 7), act2=nn.Tanh(), fc3=nn.Linear(7, 3))
    return built(model, scale * x, y, nn.CrossEntropyLoss(), dtype)


# On a kink, and beside one


@CASES.right(smooth=False)
def relu_exactly_on_its_kink(broken: bool, dtype: str) -> Built:
    x, y = rows(100, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 7), act2=nn.ReLU(), fc3=nn.Linear(7, 3))
    for layer in (model.fc1, model.fc2):
        nn.init.zeros_(layer.bias)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def relu_a_billionth_beside_its_kink(broken: bool, dtype: str) -> Built:
    x, y = rows(101, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 7), act2=nn.ReLU(), fc3=nn.Linear(7, 3))
    nn.init.constant_(model.fc1.bias, -1e-9)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def relu_a_hundred_thousandth_beside_its_kink(broken: bool, dtype: str) -> Built:
    x, y = rows(102, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 7), act2=nn.ReLU(), fc3=nn.Linear(7, 3))
    with torch.no_grad():
        model.fc1.bias.copy_(torch.tensor([1e-5, -1e-5, 3e-6, -3e-6, 1e-4, -1e-4, 1e-7, 0]))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def absolute_value_at_zero(broken: bool, dtype: str) -> Built:
    x, y = rows(103, 8, 6, 3)
    x[:3] = 0
    model = named(fc1=nn.Linear(6, 8, bias=False), act1=Apply(torch.abs), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def absolute_error_of_an_exact_prediction(broken: bool, dtype: str) -> Built:
    x, _ = rows(104, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 2))
    nn.init.zeros_(model.fc2.weight)
    nn.init.zeros_(model.fc2.bias)
    return built(model, x, torch.zeros(8, 2), nn.L1Loss(), dtype)


@CASES.right(smooth=False)
def max_pool_of_a_plain_image(broken: bool, dtype: str) -> Built:
    x, y = images(105, 4, 2, 8, 4)
    x[:2] = 0.25
    model = named(pool1=nn.MaxPool2d(2), conv1=nn.Conv2d(2, 3, 3), act=nn.ReLU(), pool2=nn.MaxPool2d(2),
                  flat=nn.Flatten(), fc=nn.Linear(3, 4))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def max_pool_after_padding_with_ties(broken: bool, dtype: str) -> Built:
    x, y = images(106, 3, 2, 6, 3)
    model = named(conv1=nn.Conv2d(2, 3, 3, padding=1), act=nn.ReLU(), pool=nn.MaxPool2d(3, 2, padding=1),
                  conv2=nn.Conv2d(3, 3, 3), flat=nn.Flatten(), fc=nn.Linear(3, 3))  # fmt: skip
    return built(model, x.round(), y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def clamp_at_its_bound(broken: bool, dtype: str) -> Built:
    x, y = rows(107, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), act1=Apply(lambda z: z.clamp(0.0, 1.0)), fc2=nn.Linear(8, 3))
    with torch.no_grad():
        model.fc1.bias.copy_(torch.tensor([0.0, 1, 0, 1, 0.5, -1, 2, 1]))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def six_bounded_units_at_six(broken: bool, dtype: str) -> Built:
    x, y = rows(108, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), a=nn.ReLU6(), fc2=nn.Linear(8, 8), b=nn.Hardtanh(), fc3=nn.Linear(8, 8),
                  c=nn.Hardswish(), fc4=nn.Linear(8, 3))  # fmt: skip
    nn.init.constant_(model.fc1.bias, 6.0)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def learned_leak_at_zero(broken: bool, dtype: str) -> Built:
    x, y = rows(109, 8, 6, 3)
    x[::2] = 0
    model = named(fc1=nn.Linear(6, 8, bias=False), act1=nn.PReLU(8), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def huber_at_its_corner_and_quantile_loss(broken: bool, dtype: str) -> Built:
    x, _ = rows(110, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 1))
    nn.init.zeros_(model.fc2.weight)
    nn.init.zeros_(model.fc2.bias)
    y = torch.tensor([0.0, 1, -1, 0, 2, 1, 0, -1])[:, None]

    def loss(prediction: Tensor, y: Tensor) -> Tensor:
        r = y - prediction
        return F.huber_loss(prediction, y) + torch.maximum(0.9 * r, -0.1 * r).mean()

    return built(model, x, y, loss, dtype)


@CASES.right(smooth=False)
def hinge_on_the_margin(broken: bool, dtype: str) -> Built:
    x, y = rows(111, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 3))
    nn.init.zeros_(model.fc2.weight)
    with torch.no_grad():
        model.fc2.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    return built(model, x, y, nn.MultiMarginLoss(), dtype)


@CASES.right(smooth=False)
def sparse_penalty_on_zero_weights(broken: bool, dtype: str) -> Built:
    x, y = rows(112, 9, 6, 4)
    model = plain_net()
    with torch.no_grad():
        model.fc2.weight[::2] = 0

    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = model.fc2.weight

        def forward(self, logits: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(logits, y) + 0.1 * self.weight.abs().sum()

    return built(model, x, y, Sparse(), dtype)


@CASES.right(smooth=False)
def largest_values_with_ties(broken: bool, dtype: str) -> Built:
    x, y = rows(113, 8, 6, 3)
    x[0] = 1.0
    model = named(fc1=nn.Linear(6, 8), top=Apply(lambda z: z.topk(4, 1).values), fc2=nn.Linear(4, 4),
                  most=Apply(lambda z: torch.cat([z.amax(1, keepdim=True), z.cummax(1).values], 1)),
                  fc3=nn.Linear(5, 3))  # fmt: skip
    nn.init.zeros_(model.fc1.weight)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(smooth=False)
def units_that_are_all_dead(broken: bool, dtype: str) -> Built:
    x, y = rows(114, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 8), act2=nn.ReLU(), fc3=nn.Linear(8, 3))
    nn.init.constant_(model.fc2.bias, -50.0)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Steep, flat, badly scaled


@CASES.right()
def square_root_near_zero(broken: bool, dtype: str) -> Built:
    return around(Apply(lambda z: (z**2 + 1e-6).sqrt()), 120, dtype)


@CASES.right(float32=False)
def length_of_nearly_nothing(broken: bool, dtype: str) -> Built:
    x, y = rows(121, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8, bias=False), unit=Apply(lambda z: z / (z.norm(dim=1, keepdim=True) + 1e-12)),
                  fc2=nn.Linear(8, 3))  # fmt: skip
    return built(model, 1e-4 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def saturated_by_huge_weights(broken: bool, dtype: str) -> Built:
    model, x, y, keywords = around(nn.Tanh(), 122, dtype)
    with torch.no_grad():
        model.fc1.weight *= 1e4
    return model, x, y, keywords


@CASES.right()
def weights_of_a_millionth(broken: bool, dtype: str) -> Built:
    model, x, y, keywords = around(nn.Tanh(), 123, dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1e-6
    return model, x, y, keywords


@CASES.right()
def columns_from_a_thousandth_to_a_million(broken: bool, dtype: str) -> Built:
    x, y = rows(124, 10, 6, 3)
    x = x * torch.tensor([1e-3, 1e-2, 1.0, 10.0, 1e3, 1e6])
    model = named(norm=nn.BatchNorm1d(6, momentum=None), fc1=nn.Linear(6, 8), act1=nn.ReLU(), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def raw_columns_without_a_norm(broken: bool, dtype: str) -> Built:
    x, y = rows(125, 10, 6, 3)
    x = x * torch.tensor([1e-3, 1e-2, 1.0, 10.0, 1e2, 1e3])
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def certain_and_right_answers(broken: bool, dtype: str) -> Built:
    x, y = rows(126, 10, 6, 3)
    y = x[:, :3].argmax(1)
    model = named(fc1=nn.Linear(6, 6), act=nn.Identity(), fc2=nn.Linear(6, 3))
    with torch.no_grad():
        model.fc1.weight.copy_(30 * torch.eye(6))
        model.fc2.weight.copy_(30 * torch.eye(3, 6))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def sum_of_losses_over_many_rows(broken: bool, dtype: str) -> Built:
    x, y = rows(127, 400, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.SELU(), fc2=nn.Linear(8, 8), act2=nn.Softsign(), fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(reduction="sum"), dtype)


@CASES.right()
def targets_of_a_million(broken: bool, dtype: str) -> Built:
    x, _ = rows(128, 12, 6, 3)
    return built(plain_net(outputs=1), x, 1e6 * (1 + x[:, :1]), nn.MSELoss(), dtype)


@CASES.right()
def one_row(broken: bool, dtype: str) -> Built:
    x, y = rows(129, 1, 6, 4)
    return built(plain_net(), x, y, nn.CrossEntropyLoss(), dtype)


# Random, stateful, normalised


@CASES.right(smooth=False)
def dropout_while_training(broken: bool, dtype: str) -> Built:
    return around(nn.Dropout(0.4), 130, dtype)


@CASES.right(smooth=False)
def noise_added_while_training(broken: bool, dtype: str) -> Built:
    return around(Apply(lambda z: torch.tanh(z + 0.5 * torch.randn_like(z))), 131, dtype)


@CASES.right(smooth=False)
def variational_autoencoder(broken: bool, dtype: str) -> Built:
    x, _ = rows(132, 9, 6, 3)

    class Variational(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode, self.decode = nn.Linear(6, 6), nn.Linear(3, 6)

        def forward(self, x: Tensor) -> Tensor:
            mean, log_variance = self.encode(x).chunk(2, 1)
            return self.decode(mean + torch.randn_like(mean) * (log_variance / 2).exp())

    return built(Variational(), x, x.clone(), nn.MSELoss(), dtype)


@CASES.right()
def batch_norm_while_training(broken: bool, dtype: str) -> Built:
    x, y = images(133, 5, 2, 6, 3)
    model = named(conv=nn.Conv2d(2, 4, 3), norm=nn.BatchNorm2d(4), act=nn.SiLU(), flat=nn.Flatten(),
                  fc=nn.Linear(64, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def batch_norm_while_evaluating(broken: bool, dtype: str) -> Built:
    model, x, y, keywords = batch_norm_while_training(broken, dtype)
    model(x)
    model.eval()
    return model, x, y, keywords


@CASES.right(float32=False)
def batch_norm_over_two_rows(broken: bool, dtype: str) -> Built:
    x, y = rows(134, 2, 6, 3)
    model = named(fc1=nn.Linear(6, 8), norm=nn.BatchNorm1d(8), act=nn.Tanh(), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def group_and_instance_norm(broken: bool, dtype: str) -> Built:
    x, y = images(135, 4, 2, 6, 3)
    model = named(conv1=nn.Conv2d(2, 4, 3, bias=False), group=nn.GroupNorm(2, 4), act1=nn.Mish(),
                  conv2=nn.Conv2d(4, 4, 3, groups=4), instance=nn.InstanceNorm2d(4, affine=True), act2=nn.GELU(),
                  flat=nn.Flatten(), fc=nn.Linear(16, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def counts_its_calls_in_a_buffer(broken: bool, dtype: str) -> Built:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return torch.tanh(x)

    return around(Counting(), 136, dtype)


@CASES.right()
def weight_and_spectral_norm(broken: bool, dtype: str) -> Built:
    x, y = rows(137, 9, 6, 3)
    model = named(fc1=parametrizations.weight_norm(nn.Linear(6, 8)), act1=nn.Tanh(),
                  fc2=parametrizations.orthogonal(nn.Linear(8, 8)), act2=nn.Tanh(), fc3=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Sequences, embeddings, attention


@CASES.right(excused="words.weight")
def embedding_with_unused_and_padding_rows(broken: bool, dtype: str) -> Built:
    """torch documents that the padding row gets no gradient, although the output depends on it."""
    torch.manual_seed(140)
    x, y = torch.randint(1, 9, (7, 5)), torch.randint(3, (7,))
    x[:, -2:] = 0
    model = named(words=nn.Embedding(40, 5, padding_idx=0), flat=nn.Flatten(), fc1=nn.Linear(25, 8), act=nn.Tanh(),
                  fc2=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def bag_of_words(broken: bool, dtype: str) -> Built:
    x, y = tokens(141)
    model = named(bag=nn.EmbeddingBag(11, 5, mode="mean"), fc1=nn.Linear(5, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: Tensor) -> Tensor:
        return self.recurrent(x)[0][:, -1]


@CASES.right()
def gru_in_two_directions(broken: bool, dtype: str) -> Built:
    torch.manual_seed(142)
    x, y = torch.randn(5, 6, 3), torch.randint(3, (5,))
    model = named(last=Last(nn.GRU(3, 4, bidirectional=True, batch_first=True)), fc=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def lstm_of_two_layers(broken: bool, dtype: str) -> Built:
    torch.manual_seed(143)
    x, y = torch.randn(5, 6, 3), torch.randint(3, (5,))
    model = named(last=Last(nn.LSTM(3, 4, num_layers=2, batch_first=True)), fc=nn.Linear(4, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def attention_with_several_heads_and_a_mask(broken: bool, dtype: str) -> Built:
    torch.manual_seed(144)
    x, y = torch.randn(4, 5, 6), torch.randint(3, (4,))

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
            return self.head(self.attention(x, x, x, attn_mask=mask, need_weights=False)[0][:, -1])

    return built(Masked(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def transformer_layer(broken: bool, dtype: str) -> Built:
    torch.manual_seed(145)
    x, y = torch.randn(4, 5, 6), torch.randint(3, (4,))
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", batch_first=True)
    model = named(layer=layer, own=Attention(6), pool=Apply(lambda h: h.mean(1)), fc=nn.Linear(6, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def alignment_loss_of_sequences(broken: bool, dtype: str) -> Built:
    torch.manual_seed(146)
    x, y = torch.randn(3, 8, 4), torch.randint(1, 5, (3, 3))
    model = named(fc1=nn.Linear(4, 6), act=nn.Tanh(), fc2=nn.Linear(6, 5))

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.ctc_loss(scores.log_softmax(-1).transpose(0, 1), y, torch.full((3,), 8), torch.full((3,), 3))

    return built(model, x, y, loss, dtype)


# Shared, frozen, unused, recomputed


@CASES.right()
def tied_weights(broken: bool, dtype: str) -> Built:
    x, _ = tokens(150)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix, self.out = nn.Embedding(11, 6), nn.Linear(6, 6), nn.Linear(6, 11, bias=False)
            self.out.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.tanh(self.mix(self.embed(x).mean(1))))

    return built(Tied(), x, x[:, 0].clone(), nn.CrossEntropyLoss(), dtype)


@CASES.right()
def one_layer_called_three_times(broken: bool, dtype: str) -> Built:
    x, y = rows(151, 9, 6, 3)

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step, self.act, self.out = nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = self.act(self.step(x))
            return self.out(x)

    return built(Again(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def frozen_layers(broken: bool, dtype: str) -> Built:
    x, y = rows(152, 9, 6, 4)
    model = plain_net()
    model.fc1.requires_grad_(False)
    model.fc2.bias.requires_grad_(False)
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def frozen_trunk_without_a_graph(broken: bool, dtype: str) -> Built:
    x, y = rows(153, 9, 6, 4)

    class FineTuned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.head = plain_net(6, 5).requires_grad_(False), nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                h = self.trunk(x)
            return self.head(h)

    return built(FineTuned(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def a_layer_that_is_never_called(broken: bool, dtype: str) -> Built:
    x, y = rows(154, 9, 6, 4)
    model = plain_net()

    class WithSpare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.spare = model, nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

    return built(WithSpare(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def recomputed_from_checkpoints(broken: bool, dtype: str) -> Built:
    x, y = rows(155, 9, 6, 3)

    class Recomputed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Linear(6, 8)
            self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(3))
            self.out = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False)
            return self.out(x)

    return built(Recomputed(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def relu_in_place_and_residuals(broken: bool, dtype: str) -> Built:
    x, y = rows(156, 9, 6, 3)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.inner, self.outer = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 8)
            self.act, self.out = nn.ReLU(inplace=True), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.stem(x))
            x = x + self.outer(self.act(self.inner(x)))
            x += 1
            return self.out(x)

    return built(Residual(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def penalty_inside_the_loss(broken: bool, dtype: str) -> Built:
    x, y = rows(157, 9, 6, 4)
    model = plain_net()
    return built(model, x, y, Penalised(model.fc1, 0.1, False), dtype)


# Unusual operators and losses


@CASES.right()
def fourier_mixing(broken: bool, dtype: str) -> Built:
    return around(Apply(lambda z: torch.fft.fft(z, dim=1).real + torch.fft.rfft(z).abs().sum(1, keepdim=True)), 160,
                  dtype)  # fmt: skip


@CASES.right()
def complex_weights(broken: bool, dtype: str) -> Built:
    x, y = rows(161, 9, 6, 3)

    class Rotated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.angle = nn.Parameter(torch.rand(6))
            self.out = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            turned = x * torch.polar(torch.ones_like(self.angle), self.angle)
            return self.out(torch.view_as_real(turned).flatten(1))

    return built(Rotated(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right(float32=False)
def gaussian_process_likelihood(broken: bool, dtype: str) -> Built:
    x, _ = rows(162, 8, 3, 3)

    def loss(features: Tensor, y: Tensor) -> Tensor:
        kernel = torch.exp(-0.5 * (features[:, None] - features).square().sum(-1)) + 0.1 * torch.eye(8).to(features)
        root = torch.linalg.cholesky(kernel)
        return 0.5 * torch.cholesky_solve(y, root).mul(y).sum() + root.diagonal().log().sum()

    model = named(fc1=nn.Linear(3, 6), act1=nn.Tanh(), fc2=nn.Linear(6, 2))
    return built(model, x, torch.sin(x[:, :1]), loss, dtype)


@CASES.right()
def mixture_density(broken: bool, dtype: str) -> Built:
    x, _ = rows(163, 10, 6, 3)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        weight, mean, log_scale = out.chunk(3, 1)
        log_density = -0.5 * ((y - mean) / log_scale.exp()) ** 2 - log_scale
        return -torch.logsumexp(weight.log_softmax(1) + log_density, 1).mean()

    return built(plain_net(outputs=6), x, x[:, :1], loss, dtype)


@CASES.right(smooth=False)
def triplets_and_similarity(broken: bool, dtype: str) -> Built:
    x, y = rows(164, 9, 6, 3)

    def loss(e: Tensor, y: Tensor) -> Tensor:
        sign = torch.where(y == y.roll(1), 1.0, -1.0).to(e)
        apart = F.triplet_margin_loss(e, e.roll(1, 0), e.roll(2, 0))
        return apart + F.cosine_embedding_loss(e, e.roll(1, 0), sign)

    return built(plain_net(outputs=5), x, y, loss, dtype)


@CASES.right()
def labels_that_are_ignored(broken: bool, dtype: str) -> Built:
    x, y = rows(165, 12, 6, 4)
    y[::3] = -100
    return built(plain_net(), x, y, nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 0, 0.5])), dtype)


@CASES.right()
def counts_with_exposure(broken: bool, dtype: str) -> Built:
    x, _ = rows(166, 12, 6, 4)
    return built(plain_net(outputs=1), x, torch.arange(12.0)[:, None], nn.PoissonNLLLoss(), dtype)


@CASES.right()
def binary_labels_on_logits(broken: bool, dtype: str) -> Built:
    x, _ = rows(167, 12, 6, 4)
    y = (x[:, :3] > 0).double()
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3.0, 0.3]))
    return built(plain_net(outputs=3), x, y, loss, dtype)


@CASES.right(smooth=False)
def branches_by_the_data(broken: bool, dtype: str) -> Built:
    """A where whose other branch would be infinite, made safe; and a path that rounds but only picks an index."""

    def function(z: Tensor) -> Tensor:
        safe = torch.where(z > 0.1, z, torch.ones_like(z))
        index = (z[:, :1].detach().abs() * 3).round().long().clamp(max=7)
        return torch.where(z > 0.1, safe.log(), 10 * (z - 0.1)) + z.gather(1, index)

    return around(Apply(function), 168, dtype)


@CASES.right()
def convolutions_of_every_kind(broken: bool, dtype: str) -> Built:
    x, y = images(169, 3, 2, 8, 3)
    model = named(down=nn.Conv2d(2, 4, 3, stride=2, padding=1, padding_mode="circular"), act1=nn.Softplus(),
                  deep=nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), act2=nn.ELU(),
                  up=nn.ConvTranspose2d(4, 2, 2, stride=2), wide=nn.Upsample(scale_factor=0.5, mode="bilinear"),
                  pool=nn.AdaptiveAvgPool2d(2), flat=nn.Flatten(), fc=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def bilinear_and_outer_products(broken: bool, dtype: str) -> Built:
    x, y = rows(170, 9, 6, 3)

    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.both = nn.Linear(6, 4), nn.Linear(6, 3), nn.Bilinear(4, 3, 5)
            self.scales = nn.ParameterList([torch.ones(5), torch.zeros(5)])
            self.out = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            h = self.both(self.left(x), self.right(x))
            return self.out(torch.tanh(h * self.scales[0] + self.scales[1]))

    return built(Products(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.right()
def fourteen_layers(broken: bool, dtype: str) -> Built:
    x, y = rows(171, 9, 6, 3)
    layers: dict[str, nn.Module] = {}
    for i in range(7):
        layers[f"fc{i}"] = nn.Linear(6, 6)
        layers[f"act{i}"] = nn.Tanh() if i % 2 else nn.GELU()
    return built(named(**layers, out=nn.Linear(6, 3)), x, y, nn.CrossEntropyLoss(), dtype)
