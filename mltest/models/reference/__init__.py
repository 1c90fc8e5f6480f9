"""reference_net under test: the one door from mltest to reference_net, one file a capability."""
