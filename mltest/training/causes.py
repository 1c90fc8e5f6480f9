"""The published list of causes: the words that `result.causes` may hold, what each means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mltest.language import noted


@dataclass(frozen=True)
class Cause:
    says: str  # what is wrong
    hint: str  # what to do


CAUSES: Mapping[str, Cause] = {
    "dead_relu": Cause(
        noted("rectified units that give zero for every input and get no gradient"),
        noted("Lower the learning rate, start biases at zero, or take a leaky rectifier."),
    ),
    "saturated_activation": Cause(
        noted("sigmoid or tanh units in their flat tails"),
        noted("Standardise the inputs, start with smaller weights, or take a rectifier."),
    ),
    "vanishing_gradient": Cause(
        noted("gradients shrink towards the input until early layers do not learn"),
        noted("Take rectifiers with He's initialisation, normalisation layers, or skip connections."),
    ),
    "exploding_gradient": Cause(
        noted("gradients or activations grow from layer to layer"),
        noted("Start with smaller weights (Glorot, He), add normalisation, or clip the gradient's norm."),
    ),
    "bad_initialisation": Cause(
        noted("initial weights or biases of the wrong scale"),
        noted(
            "Start from the layer's own rule (reset_parameters), Glorot for tanh, He for rectifiers, biases at zero."
        ),
    ),
    "symmetric_initialisation": Cause(
        noted("units of a layer start equal and stay equal"),
        noted("Draw the initial weights at random instead of one constant."),
    ),
    "missing_nonlinearity": Cause(
        noted("stacked linear layers with no activation between them"), noted("Put an activation between the layers.")
    ),
    "capacity": Cause(
        noted("the model is too small for the task"),
        noted("Widen the narrowest hidden layer, or add one with an activation."),
    ),
    "unused_parameter": Cause(
        noted("a trainable parameter takes no part in the output"), noted("Call the layer in forward, or remove it.")
    ),
    "numerical_operation": Cause(
        noted("an operation yields NaN or infinity"),
        noted(
            "Keep its input inside the domain: clamp it, add an epsilon inside the root or logarithm, or take the loss "
            "on logits."
        ),
    ),
    "double_softmax": Cause(
        noted("softmax or sigmoid is applied before a loss that applies it again"),
        noted("Hand the loss the raw outputs of the last layer (logits)."),
    ),
    "output_activation": Cause(
        noted("the last activation does not suit the task or the loss"),
        noted("Leave the last layer without an activation, or take one whose range holds the targets."),
    ),
    "wrong_loss": Cause(
        noted("the loss does not suit the output or the targets"),
        noted("Take cross-entropy on logits for classes, and a squared error for values."),
    ),
    "loss_sign": Cause(
        noted("the loss is maximised"), noted("Remove the minus before the loss, or maximize from the optimiser.")
    ),
    "gradient_scale": Cause(
        noted("loss, and so the gradient, is off by a constant factor"),
        noted("Take the mean over the batch once, and a clipping norm near the gradient's usual one."),
    ),
    "target_shape": Cause(
        noted("output and target broadcast to a shape that was not meant"),
        noted("Give both one shape: output.squeeze(-1), or y.unsqueeze(-1)."),
    ),
    "target_scale": Cause(
        noted("regression targets far from unit scale"), noted("Standardise the targets, and undo it in predict.")
    ),
    "learning_rate_high": Cause(noted("learning rate too high"), noted("Lower the learning rate.")),
    "learning_rate_low": Cause(
        noted("learning rate too low, or decays too soon"), noted("Raise the learning rate, or let it decay later.")
    ),
    "missing_zero_grad": Cause(
        noted("gradients accumulate from step to step"), noted("Call optimizer.zero_grad() before each backward pass.")
    ),
    "parameters_not_in_optimizer": Cause(
        noted("trainable parameters that the optimiser does not hold"),
        noted("Make the optimiser from model.parameters() after the model has its last layer."),
    ),
    "detached_graph": Cause(
        noted("the graph is cut: trainable parameters get no gradient"),
        noted("Remove detach(), .data, .item(), NumPy or no_grad() between the layers."),
    ),
    "frozen_parameter": Cause(
        noted("parameters that should train have requires_grad off"),
        noted("Turn requires_grad on; parameters frozen on purpose should not be handed to the optimiser."),
    ),
    "train_mode": Cause(
        noted("batch-norm or dropout is in evaluation mode while training"),
        noted("Call model.train() before the training steps, after each evaluation."),
    ),
    "eval_mode": Cause(
        noted("batch-norm or dropout is in training mode while evaluating"),
        noted("Call model.eval() before evaluating."),
    ),
    "batch_norm_small_batch": Cause(
        noted("batch-norm over a batch of one or two"), noted("Take larger batches, or group or layer normalisation.")
    ),
    "regularisation_high": Cause(
        noted("weight decay or dropout too strong"), noted("Lower the weight decay or the dropout rate.")
    ),
    "overfit": Cause(
        noted("training score far above validation score"),
        noted("Stop at the lowest validation loss, regularise, take a smaller model or more data."),
    ),
    "unnormalised_inputs": Cause(
        noted("input features of very different or very large scales"),
        noted("Standardise each feature by the training rows' mean and spread."),
    ),
    "constant_inputs": Cause(
        noted("inputs carry no information"),
        noted("Look at what reaches the model: is a file, a mask or a scaling at fault?"),
    ),
    "labels_shuffled": Cause(
        noted("labels do not belong to their inputs"),
        noted("Look at how rows and labels are joined, sorted and shuffled."),
    ),
    "class_imbalance": Cause(
        noted("a rare class is never predicted"),
        noted("Weight the classes in the loss, or draw rows of the rare class more often."),
    ),
    "not_shuffled": Cause(
        noted("batches come sorted by class"), noted("Shuffle the rows anew for each epoch (shuffle=True).")
    ),
    "data_leakage": Cause(
        noted("validation rows are copies or near-copies of training rows"),
        noted("Split before rows are copied or augmented, and by group where rows belong together."),
    ),
    "validation_preprocessing": Cause(
        noted("validation inputs are prepared otherwise than training inputs"),
        noted("Fit scaling on the training rows, and apply that one to both."),
    ),
}
