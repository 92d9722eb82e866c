"""Subnets of once-for-all supernets, side by side: exported by edgefit from the supernet's weights and run by ONNX Runtime, and
as the reference implementation cuts them out.

    pip install torch onnxruntime ofa
    python3 tests/it/supernet_reference.py EDGEFIT [--count 3] [--space SPACE]...

EDGEFIT is the program to test. For every search space a supernet is built with random weights, matrices and statistics, and
written to files of several forms. For random configurations, also for a subnet's own file and for statistics taken from images,
the largest difference between the outputs of both is printed, relative to that between the logits of two images. The exit status
is 1 if one is above 1e-4.
"""

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import types
from pathlib import Path

# Loading images asks for more packages, of which networks need none.
sys.modules["ofa.utils.my_dataloader"] = types.ModuleType("ofa.utils.my_dataloader")

import onnxruntime
import torch
from ofa.imagenet_classification.elastic_nn.modules.dynamic_op import DynamicSeparableConv2d
from ofa.imagenet_classification.elastic_nn.networks import OFAMobileNetV3, OFAProxylessNASNets
from ofa.imagenet_classification.elastic_nn.utils import set_running_statistics
from torch import nn

MOST = 1e-4
CLASSES = 20
BATCH = 32
PASSES = 20
KERNELS, EXPANSIONS, DEPTHS = [3, 5, 7], [3, 4, 6], [2, 3, 4]
SUPERNETS = {
    "mobilenet_v3": (OFAMobileNetV3, 1.0),
    "mobilenet_v3_w1.2": (OFAMobileNetV3, 1.2),
    "proxylessnas": (OFAProxylessNASNets, 1.3),
}


def supernet(space, transforms=True):
    """A supernet whose every parameter and statistic is random, yet whose signals neither vanish nor explode."""
    DynamicSeparableConv2d.KERNEL_TRANSFORM_MODE = 1 if transforms else None
    kind, width = SUPERNETS[space]
    net = kind(
        n_classes=CLASSES,
        dropout_rate=0,
        width_mult=width,
        ks_list=KERNELS,
        expand_ratio_list=EXPANSIONS,
        depth_list=DEPTHS,
    )
    with torch.no_grad():
        for name, values in net.named_parameters():
            if name.endswith("_matrix"):
                values.add_(0.2 * torch.randn_like(values) / len(values) ** 0.5)
            elif values.dim() == 1:
                # Factors of normalisation begin at 1.
                values.mul_(1.3).add_(0.2 * torch.randn_like(values))
            elif values.dim() == 4 and values.shape[-1] == 7:
                # Most is in the centre, so that what smaller kernels give is not much less.
                values[..., 2:5, 2:5] *= 5
        # Statistics of several subnets, those of the last ones above all.
        net.train()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.2
        generator = random.Random(4)
        for _ in range(PASSES):
            config = configuration(net, generator)
            net.set_active_subnet(ks=config["ks"], e=config["e"], d=config["d"])
            net(some_images(4, 96))
    return net.eval()


def configuration(net, generator):
    """A random one, in the notation of the reference implementation's users."""
    blocks = len(net.blocks) - 1
    stages = len(net.block_group_info)
    return {
        "ks": [generator.choice(KERNELS) for _ in range(blocks)],
        "e": [generator.choice(EXPANSIONS) for _ in range(blocks)],
        # ProxylessNAS ends with a stage of one block.
        "d": [generator.choice(DEPTHS) if stage < 5 else 1 for stage in range(stages)],
        "r": generator.choice(range(128, 228, 4)),
    }


def subnet(net, config):
    net.set_active_subnet(ks=config["ks"], e=config["e"], d=config["d"])
    return net.get_active_subnet().eval()


def write_pytorch(tensors, path):
    torch.save(tensors, path)


def write_published(tensors, path):
    """As the authors' checkpoints: an older container, the names of the time, beside other things."""
    published = {name.replace(".conv.", ".mobile_inverted_conv.", 1) if "blocks" in name else name: values
                 for name, values in tensors.items()}
    whole = {"state_dict": published, "epoch": 7}
    torch.save(whole, path, _use_new_zipfile_serialization=False)


def write_safetensors(tensors, path):
    """<https://huggingface.co/docs/safetensors>: length of the header, the header, the tensors."""
    header, parts, offset = {}, [], 0
    for name, values in tensors.items():
        data = values.contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[values.dtype]
        offsets = [offset, offset + len(data)]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


FORMS = {"pytorch": write_pytorch, "published": write_published, "safetensors": write_safetensors}


def exported(program, space, config, weights, model, *more):
    """Exports with edgefit and returns what it said."""
    options = ["export", "--space", space, "--design", json.dumps(config), "--classes", str(CLASSES)]
    options += ["--weights", str(weights), "--out", str(model), "--force", "--batch", "2", *more]
    done = subprocess.run([program, *options], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{space}: {done.stderr}")
    return done.stderr


def some_images(count, edge):
    """Noise around a colour of each: of noise alone all networks see the same."""
    return torch.randn(count, 3, 1, 1) + torch.randn(count, 3, edge, edge)


def difference(reference, config, model):
    """Largest difference of logits between runtimes, relative to the largest between two images."""
    images = some_images(2, config["r"])
    with torch.no_grad():
        expected = reference(images).numpy()
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    found = session.run(["output"], {"input": images.numpy()})[0]
    return abs(found - expected).max() / abs(expected[0] - expected[1]).max()


def compare(program, space, count, folder):
    """Prints a line for every configuration and returns the largest difference."""
    generator = random.Random(3)
    most = 0.0

    def line(what, config, reference):
        nonlocal most
        off = difference(reference, config, folder / "model.onnx")
        most = max(most, off if off == off else float("inf"))
        print(f"{space}\t{what}\t{off:.1e}\t{json.dumps(config)}", flush=True)

    for transforms in [True, False]:
        net = supernet(space, transforms)
        for form, write in FORMS.items():
            path = folder / f"supernet.{form}"
            write(net.state_dict(), path)
            for _ in range(count):
                config = configuration(net, generator)
                said = exported(program, space, config, path, folder / "model.onnx")
                assert "supernet" in said and "random" not in said, said
                line(form if transforms else f"{form} without matrices", config, subnet(net, config))
    # What the reference implementation cuts out is a file of its own.
    config = configuration(net, generator)
    reference = subnet(net, config)
    write_pytorch(reference.state_dict(), folder / "subnet.pt")
    said = exported(program, space, config, folder / "subnet.pt", folder / "model.onnx")
    assert "supernet" not in said and "random" not in said, said
    line("subnet", config, reference)
    # Statistics from images, in batches as edgefit takes them.
    config = configuration(net, generator) | {"r": 128}
    reference = subnet(net, config)
    images = some_images(BATCH + 8, 128)
    set_running_statistics(reference, [(batch, None) for batch in images.split(BATCH)])
    write_pytorch({"images": images}, folder / "images.pt")
    recalibrate = ["--recalibrate", str(folder / "images.pt")]
    said = exported(program, space, config, folder / "supernet.published", folder / "model.onnx", *recalibrate)
    assert "supernet" not in said, said
    line("recalibrated", config, reference)
    return most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--space", action="append", choices=list(SUPERNETS))
    options = parser.parse_args()
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        differences = [
            compare(options.program, space, options.count, Path(folder)) for space in options.space or SUPERNETS
        ]
    return 0 if max(differences) < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
