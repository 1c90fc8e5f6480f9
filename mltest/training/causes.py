"""The published list of causes: the words that `result.causes` may hold, what each means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    says: str  # what is wrong
    hint: str  # what to do


CAUSES: Mapping[str, Cause] = {
    "dead_relu": Cause(
        "rectified units that give zero for every input and get no gradient",
        "Lower the learning rate, start biases at zero, or take a leaky rectifier.",
    ),
    "saturated_activation": Cause(
        "sigmoid or tanh units in their flat tails",
        "Standardise the inputs, start with smaller weights, or take a rectifier.",
    ),
    "vanishing_gradient": Cause(
        "gradients shrink towards the input until early layers do not learn",
        "Take rectifiers with He's initialisation, normalisation layers, or skip connections.",
    ),
    "exploding_gradient": Cause(
        "gradients or activations grow from layer to layer",
        "Start with smaller weights (Glorot, He), add normalisation, or clip the gradient's norm.",
    ),
    "bad_initialisation": Cause(
        "initial weights or biases of the wrong scale",
        "Start from the layer's own rule (reset_parameters), Glorot for tanh, He for rectifiers, biases at zero.",
    ),
    "symmetric_initialisation": Cause(
        "units of a layer start equal and stay equal", "Draw the initial weights at random instead of one constant."
    ),
    "missing_nonlinearity": Cause(
        "stacked linear layers with no activation between them", "Put an activation between the layers."
    ),
    "capacity": Cause(
        "the model is too small for the task", "Widen the narrowest hidden layer, or add one with an activation."
    ),
    "unused_parameter": Cause(
        "a trainable parameter takes no part in the output", "Call the layer in forward, or remove it."
    ),
    "numerical_operation": Cause(
        "an operation yields NaN or infinity",
        "Keep its input inside the domain: clamp it, add an epsilon inside the root or logarithm, or take the loss "
        "on logits.",
    ),
    "double_softmax": Cause(
        "softmax or sigmoid is applied before a loss that applies it again",
        "Hand the loss the raw outputs of the last layer (logits).",
    ),
    "output_activation": Cause(
        "the last activation does not suit the task or the loss",
        "Leave the last layer without an activation, or take one whose range holds the targets.",
    ),
    "wrong_loss": Cause(
        "the loss does not suit the output or the targets",
        "Take cross-entropy on logits for classes, and a squared error for values.",
    ),
    "loss_sign": Cause("the loss is maximised", "Remove the minus before the loss, or maximize from the optimiser."),
    "gradient_scale": Cause(
        "loss, and so the gradient, is off by a constant factor",
        "Take the mean over the batch once, and a clipping norm near the gradient's usual one.",
    ),
    "target_shape": Cause(
        "output and target broadcast to a shape that was not meant",
        "Give both one shape: output.squeeze(-1), or y.unsqueeze(-1).",
    ),
    "target_scale": Cause("regression targets far from unit scale", "Standardise the targets, and undo it in predict."),
    "learning_rate_high": Cause("learning rate too high", "Lower the learning rate."),
    "learning_rate_low": Cause(
        "learning rate too low, or decays too soon", "Raise the learning rate, or let it decay later."
    ),
    "missing_zero_grad": Cause(
        "gradients accumulate from step to step", "Call optimizer.zero_grad() before each backward pass."
    ),
    "parameters_not_in_optimizer": Cause(
        "trainable parameters that the optimiser does not hold",
        "Make the optimiser from model.parameters() after the model has its last layer.",
    ),
    "detached_graph": Cause(
        "the graph is cut: trainable parameters get no gradient",
        "Remove detach(), .data, .item(), NumPy or no_grad() between the layers.",
    ),
    "frozen_parameter": Cause(
        "parameters that should train have requires_grad off",
        "Turn requires_grad on; parameters frozen on purpose should not be handed to the optimiser.",
    ),
    "train_mode": Cause(
        "batch-norm or dropout is in evaluation mode while training",
        "Call model.train() before the training steps, after each evaluation.",
    ),
    "eval_mode": Cause(
        "batch-norm or dropout is in training mode while evaluating", "Call model.eval() before evaluating."
    ),
    "batch_norm_small_batch": Cause(
        "batch-norm over a batch of one or two", "Take larger batches, or group or layer normalisation."
    ),
    "regularisation_high": Cause("weight decay or dropout too strong", "Lower the weight decay or the dropout rate."),
    "overfit": Cause(
        "training score far above validation score",
        "Stop at the lowest validation loss, regularise, take a smaller model or more data.",
    ),
    "unnormalised_inputs": Cause(
        "input features of very different or very large scales",
        "Standardise each feature by the training rows' mean and spread.",
    ),
    "constant_inputs": Cause(
        "inputs carry no information", "Look at what reaches the model: is a file, a mask or a scaling at fault?"
    ),
    "labels_shuffled": Cause(
        "labels do not belong to their inputs", "Look at how rows and labels are joined, sorted and shuffled."
    ),
    "class_imbalance": Cause(
        "a rare class is never predicted", "Weight the classes in the loss, or draw rows of the rare class more often."
    ),
    "not_shuffled": Cause("batches come sorted by class", "Shuffle the rows anew for each epoch (shuffle=True)."),
    "data_leakage": Cause(
        "validation rows are copies or near-copies of training rows",
        "Split before rows are copied or augmented, and by group where rows belong together.",
    ),
    "validation_preprocessing": Cause(
        "validation inputs are prepared otherwise than training inputs",
        "Fit scaling on the training rows, and apply that one to both.",
    ),
}
