"""A real node for tests: kubelet, scheduler and containerd in one network and process namespace.

Outside of it images are built, since they need the network (`images`, `machine`); inside, where
`relay` runs the tests, there is one `Node` beside a control plane `for_pods`.
"""
