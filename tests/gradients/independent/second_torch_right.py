"""A second set of right torch nets: on kinks and ties, badly scaled, masked, normalised, of unusual operators."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.second_torch_faults import (
    Attends,
    Last,
    Layer,
    RootMeanSquare,
    attending,
    mlp,
    picture_net,
    remembering,
    sequences,
)
from tests.gradients.independent.torch_faults import built, images, named, rows

CASES = Cases("second_")
F = nn.functional
CROSS = nn.CrossEntropyLoss


# Kinks, ties and steps


@CASES.right(smooth=False)
def borders_padded_with_zeros_into_rectifiers(broken: bool, dtype: str) -> Built:
    """Blank pictures, no biases: every unit of the first two layers stands on its kink."""
    x, y = images(301, 4, 1, 7, 3)
    x[:3] = 0
    model = named(conv1=nn.Conv2d(1, 3, 3, padding=1, bias=False), act1=nn.ReLU(),
                  conv2=nn.Conv2d(3, 4, 3, padding=1, bias=False), act2=nn.ReLU(), pool=nn.AdaptiveMaxPool2d(2),
                  flat=nn.Flatten(), fc=nn.Linear(16, 3))  # fmt: skip
    return built(model, x, y, CROSS(), dtype)


@CASES.right(smooth=False)
def shrinkage_at_its_threshold(broken: bool, dtype: str) -> Built:
    x, y = rows(302, 8, 6, 3)
    x[:4] = 0
    model = named(fc1=nn.Linear(6, 8), act1=nn.Softshrink(0.5), fc2=nn.Linear(8, 8), act2=nn.Hardswish(),
                  fc3=nn.Linear(8, 3))  # fmt: skip
    with torch.no_grad():
        model.fc1.bias.copy_(torch.tensor([0.5, -0.5, 0.5, -0.5, 0.0, 1.0, 0.4999, 0.5001]))
        model.fc2.bias.copy_(torch.tensor([3.0, -3.0, 3.0, -3.0, 0.0, 1.0, 2.999, -3.001]))
    return built(model, x, y, CROSS(), dtype)


@CASES.right(smooth=False)
def absolute_errors_of_a_perfect_fit_and_a_miss(broken: bool, dtype: str) -> Built:
    """Half of the rows are hit exactly, so that the loss stands on a kink for each of them."""
    x, _ = rows(303, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 2))
    with torch.no_grad():
        model.fc2.weight.zero_()
        model.fc2.bias.copy_(torch.tensor([1.0, -2.0]))
    y = torch.tensor([1.0, -2.0]).repeat(8, 1)
    y[4:] += torch.randn(4, 2)
    return built(model, x, y, nn.L1Loss(reduction="sum"), dtype)


@CASES.right(smooth=False)
def margins_met_exactly(broken: bool, dtype: str) -> Built:
    x, y = rows(304, 9, 6, 3)
    model = mlp(nn.Tanh(), "act2")
    with torch.no_grad():
        model.fc4.weight.zero_()
        model.fc4.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    return built(model, x, y, nn.MultiMarginLoss(margin=1.0), dtype)


@CASES.right(smooth=False)
def sorted_features_with_ties(broken: bool, dtype: str) -> Built:
    x, y = rows(305, 8, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.Hardtanh(-0.3, 0.3), sort=Layer(lambda h: h.sort(1).values),
                  fc2=nn.Linear(8, 6), act2=nn.Tanh(), fc3=nn.Linear(6, 3))  # fmt: skip
    return built(model, 2 * x, y, CROSS(), dtype)


@CASES.right(smooth=False)
def median_of_neighbours(broken: bool, dtype: str) -> Built:
    x, y = images(306, 4, 2, 6, 3)
    median = Layer(lambda h: F.unfold(h, 3, padding=1).reshape(len(h), 3, 9, 6, 6).median(2).values)
    return built(picture_net(median, "median", 3, 6), x.round(decimals=1), y, CROSS(), dtype)


@CASES.right(smooth=False)
def pool_of_a_picture_of_two_greys(broken: bool, dtype: str) -> Built:
    x, y = images(307, 4, 2, 8, 3)
    model = named(pool=nn.MaxPool2d(2), conv1=nn.Conv2d(2, 3, 3), act=nn.LeakyReLU(), pool2=nn.MaxPool2d(2, 1),
                  flat=nn.Flatten(), fc=nn.Linear(3, 3))  # fmt: skip
    return built(model, (x > 0).double(), y, CROSS(), dtype)


@CASES.right()
def rounding_inside_beside_a_smooth_way(broken: bool, dtype: str) -> Built:
    """A staircase has derivative zero nearly everywhere, and that is what autograd gives."""
    x, y = rows(308, 8, 6, 3)
    stairs = Layer(lambda h: h + torch.floor(4 * h + 0.37) / 4)
    return built(mlp(stairs, "stairs"), x, y, CROSS(), dtype)


@CASES.right(smooth=False)
def distance_of_equal_rows(broken: bool, dtype: str) -> Built:
    """Some pairs are the same row: their distance is zero, and its slope is given as zero."""
    x, y = rows(309, 8, 6, 3)
    x[4:6] = x[:2]
    pairs = Layer(lambda h: torch.cdist(h, h.roll(4, 0)).clamp(max=3.0))
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 5), pairs=pairs, fc3=nn.Linear(8, 3))
    return built(model, x, y, CROSS(), dtype)


# Scales


@CASES.right()
def inputs_of_a_hundred_millionth(broken: bool, dtype: str) -> Built:
    x, y = rows(311, 10, 6, 3)
    return built(mlp(nn.GELU(), "act2"), 1e-8 * x, y, CROSS(), dtype)


@CASES.right()
def answers_certain_by_huge_logits(broken: bool, dtype: str) -> Built:
    x, y = rows(312, 10, 6, 3)
    model = mlp(nn.Tanh(), "act2")
    with torch.no_grad():
        model.fc4.weight.mul_(200)
    return built(model, x, y, CROSS(), dtype)


@CASES.right()
def loss_in_millions(broken: bool, dtype: str) -> Built:
    x, _ = rows(313, 10, 6, 3)
    loss = lambda out, y: 1e6 * F.mse_loss(out, y)  # noqa: E731
    return built(mlp(nn.Tanh(), "act2", outputs=1), x, torch.sin(x[:, :1]), loss, dtype)


@CASES.right()
def loss_of_a_billionth_on_a_constant(broken: bool, dtype: str) -> Built:
    """In float32 the loss itself cannot show its changes: 7 and something tiny."""
    x, _ = rows(314, 10, 6, 3)
    loss = lambda out, y: 7 + 1e-5 * F.mse_loss(out, y)  # noqa: E731
    return built(mlp(nn.Tanh(), "act2", outputs=1), x, torch.cos(x[:, :1]), loss, dtype)


@CASES.right()
def weights_apart_by_eight_powers_of_ten(broken: bool, dtype: str) -> Built:
    x, y = rows(315, 10, 6, 3)
    model = mlp(nn.Softplus(), "act2")
    with torch.no_grad():
        model.fc1.weight.mul_(1e4)
        model.fc2.weight.mul_(1e-4)
    return built(model, 1e-4 * x, y, CROSS(), dtype)


@CASES.right()
def sum_over_two_thousand_rows(broken: bool, dtype: str) -> Built:
    x, y = rows(316, 2000, 6, 3)
    return built(mlp(nn.ELU(), "act2"), x, y, CROSS(reduction="sum"), dtype)


@CASES.right()
def sigmoid_in_its_far_tail(broken: bool, dtype: str) -> Built:
    x, y = rows(317, 10, 6, 2)
    model = named(fc1=nn.Linear(6, 8), act1=nn.Sigmoid(), fc2=nn.Linear(8, 8), act2=nn.Sigmoid(), fc3=nn.Linear(8, 1))
    with torch.no_grad():
        model.fc2.bias.fill_(-25.0)
    return built(model, 3 * x, y[:, None].double(), nn.BCEWithLogitsLoss(), dtype)


# Modes and norms


@CASES.right()
def dropouts_of_all_kinds_while_evaluating(broken: bool, dtype: str) -> Built:
    x, y = images(321, 4, 2, 6, 3)
    model = named(conv=nn.Conv2d(2, 4, 3), drop1=nn.Dropout2d(0.5), act=nn.RReLU(), flat=nn.Flatten(),
                  drop2=nn.AlphaDropout(0.5), fc1=nn.Linear(64, 8), act2=nn.SELU(), drop3=nn.Dropout(0.5),
                  fc2=nn.Linear(8, 3))  # fmt: skip
    return built(model.eval(), x, y, CROSS(), dtype)


@CASES.right()
def batch_norm_of_pictures_in_both_modes(broken: bool, dtype: str) -> Built:
    """The first norm trains, the second one is frozen in evaluation mode."""
    x, y = images(322, 5, 2, 6, 3)
    model = named(conv1=nn.Conv2d(2, 3, 3), bn1=nn.BatchNorm2d(3), act1=nn.Tanh(), conv2=nn.Conv2d(3, 4, 3),
                  bn2=nn.BatchNorm2d(4), act2=nn.Tanh(), flat=nn.Flatten(), fc=nn.Linear(16, 3))  # fmt: skip
    with torch.no_grad():
        model.bn2.running_mean.normal_()
        model.bn2.running_var.uniform_(0.5, 2)
    model.bn2.eval()
    return built(model, x, y, CROSS(), dtype)


@CASES.right()
def batch_norm_with_a_feature_that_never_changes(broken: bool, dtype: str) -> Built:
    """A constant column has no variance; its normal value is zero, and so is what comes back."""
    x, y = rows(323, 12, 6, 3)
    x[:, 2] = 1.5
    model = named(bn0=nn.BatchNorm1d(6), fc1=nn.Linear(6, 8), bn1=nn.BatchNorm1d(8), act=nn.Tanh(), fc2=nn.Linear(8, 3))
    return built(model, x, y, CROSS(), dtype)


@CASES.right()
def tiny_running_variance(broken: bool, dtype: str) -> Built:
    x, y = rows(324, 10, 6, 3)
    model = mlp(nn.BatchNorm1d(8), "bn")
    with torch.no_grad():
        model.bn.running_var.fill_(1e-6)
    return built(model.eval(), 1e-3 * x, y, CROSS(), dtype)


@CASES.right()
def instance_norm_and_local_response(broken: bool, dtype: str) -> Built:
    x, y = images(325, 4, 2, 6, 3)
    both = nn.Sequential(nn.InstanceNorm2d(4, affine=True), nn.LocalResponseNorm(3))
    return built(picture_net(both, "both", 4, 6, before=4), x, y, CROSS(), dtype)


@CASES.right()
def root_mean_square_norm_written_by_hand(broken: bool, dtype: str) -> Built:
    x, y = rows(326, 10, 6, 3)
    return built(mlp(RootMeanSquare(8), "norm"), x, y, CROSS(), dtype)


@CASES.right()
def norm_of_nearly_constant_rows(broken: bool, dtype: str) -> Built:
    """A layer norm of rows whose entries hardly differ: its slope is large and its curvature too."""
    x, y = rows(327, 10, 6, 3)
    model = mlp(nn.LayerNorm(8, eps=1e-5), "norm")
    with torch.no_grad():
        model.fc2.weight.mul_(1e-2)
        model.fc2.bias.fill_(1.0)
    return built(model, x, y, CROSS(), dtype)


# Sequences, masks, memories


@CASES.right()
def causal_mask_of_minus_infinities(broken: bool, dtype: str) -> Built:
    x, y = sequences(331)

    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, h: Tensor) -> Tensor:
            mask = torch.full((h.shape[1], h.shape[1]), -math.inf).triu(1).to(h)
            return h + self.attend(h, h, h, attn_mask=mask, need_weights=False)[0]

    model = named(embed=nn.Linear(4, 6), causal=Causal(), norm=nn.LayerNorm(6), last=Last(), head=nn.Linear(6, 3))
    return built(model, x, y, CROSS(), dtype)


@CASES.right()
def attention_written_by_hand(broken: bool, dtype: str) -> Built:
    x, y = sequences(332)
    return built(attending(""), x, y, CROSS(), dtype)


@CASES.right()
def memory_cell_written_by_hand(broken: bool, dtype: str) -> Built:
    x, y = sequences(333)
    return built(remembering(""), x, y, CROSS(), dtype)


@CASES.right()
def recurrences_fed_with_nothing(broken: bool, dtype: str) -> Built:
    x, y = sequences(334)

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0].mean(1))

    return built(Stack(), 0 * x, y, CROSS(), dtype)


@CASES.right()
def pooled_words_with_padding_and_weights(broken: bool, dtype: str) -> Built:
    torch.manual_seed(335)
    x, y = torch.randint(1, 9, (6, 5)), torch.randint(3, (6,))
    x[:3, 3:] = 0

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.EmbeddingBag(9, 6, mode="mean", padding_idx=0)
            self.mix = nn.Embedding(9, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.words(x) + torch.tanh(self.mix(x)).mean(1)

    model = named(words=Words(), fc1=nn.Linear(6, 5), act=nn.Tanh(), fc2=nn.Linear(5, 3))
    return built(model, x, y, CROSS(), dtype)


@CASES.right(smooth=False)
def messages_on_a_graph_with_a_maximum(broken: bool, dtype: str) -> Built:
    """Nodes take the largest and the summed message of their neighbours; some have none."""
    x, y = rows(336, 9, 6, 3)
    edges = torch.randint(0, 9, (2, 20))
    joined = torch.zeros(9, 9, dtype=torch.bool).index_put((edges[1], edges[0]), torch.tensor(True))

    def gather(h: Tensor) -> Tensor:
        sums = torch.zeros_like(h).index_add(0, edges[1], h[edges[0]])
        most = h.unsqueeze(0).masked_fill(~joined.unsqueeze(-1), -4.0).amax(1)
        return torch.cat([sums, most], 1)

    return built(mlp(Layer(gather), "gather", after=16), x, y, CROSS(), dtype)


@CASES.right()
def one_block_fourteen_times(broken: bool, dtype: str) -> Built:
    x, y = rows(337, 9, 6, 3)

    class Flow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field = nn.Sequential(nn.Linear(8, 8), nn.Tanh())

        def forward(self, h: Tensor) -> Tensor:
            for _ in range(14):
                h = h + 0.2 * self.field(h)
            return h

    return built(mlp(Flow(), "flow"), x, y, CROSS(), dtype)


# Unusual operators and losses


@CASES.right()
def solved_and_exponentiated_matrices(broken: bool, dtype: str) -> Built:
    x, y = rows(341, 6, 6, 3)

    class Matrices(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(0.3 * torch.randn(8, 8))

        def forward(self, h: Tensor) -> Tensor:
            turn = torch.linalg.matrix_exp(self.weight - self.weight.T)
            return torch.linalg.solve(torch.eye(8).to(h) * 2 + turn, h.T).T

    return built(mlp(Matrices(), "matrices"), x, y, CROSS(), dtype)


@CASES.right()
def pictures_resampled_on_a_learnt_grid(broken: bool, dtype: str) -> Built:
    x, y = images(342, 4, 2, 6, 3)

    class Warp(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.theta = nn.Parameter(torch.tensor([[0.9, 0.13, 0.05], [-0.11, 0.83, 0.02]]))

        def forward(self, h: Tensor) -> Tensor:
            grid = F.affine_grid(self.theta.expand(len(h), 2, 3), list(h.shape), align_corners=False)
            return F.grid_sample(h, grid, mode="bicubic", align_corners=False)

    return built(picture_net(Warp(), "warp", 3, 6), x, y, CROSS(), dtype)


@CASES.right()
def layers_that_make_each_others_weights(broken: bool, dtype: str) -> Built:
    x, y = rows(343, 8, 6, 3)

    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maker, self.scale, self.shift = nn.Linear(8, 32), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, h: Tensor) -> Tensor:
            weight = self.maker(h).reshape(len(h), 4, 8)
            mixed = (weight @ h.unsqueeze(-1)).squeeze(-1).repeat(1, 2)
            return self.scale(h) * torch.tanh(mixed) + self.shift(h)

    return built(mlp(Made(), "made"), x, y, CROSS(), dtype)


@CASES.right()
def shuffled_and_transposed_pixels(broken: bool, dtype: str) -> Built:
    x, y = images(344, 4, 2, 6, 3)
    up = nn.Sequential(nn.ConvTranspose2d(3, 8, 2, stride=2), nn.PixelUnshuffle(2), nn.Conv2d(32, 4, 1))
    return built(picture_net(up, "up", 4, 6), x, y, CROSS(), dtype)


@CASES.right()
def surprise_of_a_cut_normal_law(broken: bool, dtype: str) -> Built:
    x, _ = rows(345, 10, 6, 3)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        mean, spread = out[:, :1], F.softplus(out[:, 1:]) + 0.1
        seen = torch.special.log_ndtr((y - mean) / spread)
        return (((y - mean) / spread) ** 2 / 2 + spread.log() - 0.3 * seen).mean()

    return built(mlp(nn.Tanh(), "act2", outputs=2), x, torch.sin(x[:, :1]), loss, dtype)


@CASES.right()
def contrast_of_two_views(broken: bool, dtype: str) -> Built:
    x, _ = rows(346, 8, 6, 3)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        a = F.normalize(out, dim=1)
        scores = a @ a.roll(1, 0).T / 0.1
        return F.cross_entropy(scores, torch.arange(len(a))) + 0.1 * torch.logsumexp(scores, 1).square().mean()

    return built(mlp(nn.Tanh(), "act2", outputs=4), x, torch.zeros(8), loss, dtype)


@CASES.right()
def counts_with_many_zeros(broken: bool, dtype: str) -> Built:
    x, _ = rows(347, 10, 6, 3)
    counts = torch.tensor([0.0, 0, 0, 1, 7, 0, 2, 0, 30, 0])

    def loss(out: Tensor, y: Tensor) -> Tensor:
        size = F.softplus(out[:, 1]) + 0.2
        law = torch.distributions.NegativeBinomial(size, logits=out[:, 0])
        return -law.log_prob(y).mean()

    return built(mlp(nn.Tanh(), "act2", outputs=2), x, counts, loss, dtype)


@CASES.right()
def agreement_of_two_masks(broken: bool, dtype: str) -> Built:
    x, _ = images(348, 3, 2, 6, 3)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        p, t = torch.sigmoid(out[:, 0]), y
        return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)

    model = named(conv1=nn.Conv2d(2, 4, 3, padding=1), act1=nn.SiLU(), conv2=nn.Conv2d(4, 4, 3, padding=2, dilation=2),
                  act2=nn.SiLU(), conv3=nn.Conv2d(4, 1, 1))  # fmt: skip
    return built(model, x, (x[:, 0] > 0).double(), loss, dtype)


@CASES.right()
def slope_of_the_net_in_its_loss(broken: bool, dtype: str) -> Built:
    """A penalty on the net's own derivative, as a critic has it: second derivatives all the way."""
    x, _ = rows(349, 8, 6, 3)

    class Critic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(6, 8), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            value = self.fc2(torch.tanh(self.fc1(x)))
            inner = 1 - torch.tanh(self.fc1(x)) ** 2
            slope = (inner * self.fc2.weight) @ self.fc1.weight
            return torch.cat([value, slope.norm(dim=1, keepdim=True) - 1], 1)

    loss = lambda out, y: out[:, 0].mean() + 2 * (out[:, 1] ** 2).mean()  # noqa: E731
    return built(Critic(), x, torch.zeros(8), loss, dtype)


@CASES.right()
def one_row_one_unit(broken: bool, dtype: str) -> Built:
    x, _ = rows(350, 1, 1, 2)
    model = named(fc1=nn.Linear(1, 1), act=nn.Sigmoid(), fc2=nn.Linear(1, 1))
    return built(model, x, torch.ones(1, 1), nn.BCEWithLogitsLoss(), dtype)


@CASES.right()
def attention_over_a_single_step(broken: bool, dtype: str) -> Built:
    """The softmax of one score is one: query and key rightly get no gradient."""
    x, y = sequences(351, time=1)
    model = named(embed=nn.Linear(4, 6), attention=Attends(6, ""), last=Last(), head=nn.Linear(6, 3))
    return built(model, x, y, CROSS(), dtype)
