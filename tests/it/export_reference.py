"""Independent judges of exported files: the checker of the onnx package, and the same networks in PyTorch.

    python3 tests/it/export_reference.py check FILE...
    python3 tests/it/export_reference.py write SPACE ARCHITECTURE WEIGHTS
    python3 tests/it/export_reference.py compare SPACE ARCHITECTURE WEIGHTS FILE

`write` saves the state_dict of a network whose weights and statistics are random; `compare` prints the largest difference
between what PyTorch computes with it and what ONNX Runtime computes with an exported file, relative to the largest logit.
The networks are those for 32x32 pixels and 10 classes; modules have the names of the spaces' reference implementations.
"""

import sys

EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def check(files):
    import onnx

    for file in files:
        onnx.checker.check_model(file, full_check=True)


def nasbench201(text):
    import torch
    from torch import nn

    class Rectified(nn.Module):
        def __init__(self, inputs, outputs, kernel, stride=1):
            super().__init__()
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            self.op = nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))

        def forward(self, x):
            return self.op(x)

    class Nothing(nn.Module):
        def forward(self, x):
            return x * 0

    operations = {
        "none": lambda channels: Nothing(),
        "skip_connect": lambda channels: nn.Identity(),
        "nor_conv_1x1": lambda channels: Rectified(channels, channels, 1),
        "nor_conv_3x3": lambda channels: Rectified(channels, channels, 3),
        "avg_pool_3x3": lambda channels: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }
    genes = [part.split("~")[0] for part in text.replace("+", "").split("|") if part]

    class Cell(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.layers = nn.ModuleList(operations[gene](channels) for gene in genes)

        def forward(self, x):
            nodes = [x, 0, 0, 0]
            for (source, target), layer in zip(EDGES, self.layers):
                nodes[target] = nodes[target] + layer(nodes[source])
            return nodes[3]

    class Reduction(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv_a = Rectified(inputs, outputs, 3, 2)
            self.conv_b = Rectified(outputs, outputs, 3)
            self.downsample = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

        def forward(self, x):
            return self.conv_b(self.conv_a(x)) + self.downsample(x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
            cells = []
            for channels in (16, 32, 64):
                if channels > 16:
                    cells.append(Reduction(channels // 2, channels))
                cells.extend(Cell(channels) for _ in range(5))
            self.cells = nn.ModuleList(cells)
            self.lastact = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
            self.classifier = nn.Linear(64, 10)

        def forward(self, x):
            x = self.stem(x)
            for cell in self.cells:
                x = cell(x)
            return self.classifier(torch.mean(self.lastact(x), dim=(2, 3)))

    return Network()


def fbnet(text):
    import torch
    from torch import nn

    def part(inputs, outputs, kernel, stride=1, groups=1):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return convolution, nn.BatchNorm2d(outputs)

    class Single(nn.Module):
        def __init__(self, inputs, outputs, kernel, stride=1):
            super().__init__()
            self.conv, self.bn = part(inputs, outputs, kernel, stride)

        def forward(self, x):
            return torch.relu(self.bn(self.conv(x)))

    class Block(nn.Module):
        def __init__(self, name, inputs, outputs, stride):
            super().__init__()
            fields = name.split("_")
            kernel, expansion = int(fields[0][1:]), int(fields[1][1:])
            self.groups = int(fields[2][1:]) if len(fields) > 2 else 1
            inner = inputs * expansion
            self.conv1, self.bn1 = part(inputs, inner, 1, groups=self.groups)
            self.conv2, self.bn2 = part(inner, inner, kernel, stride, inner)
            self.conv3, self.bn3 = part(inner, outputs, 1, groups=self.groups)
            self.shortcut = stride == 1 and inputs == outputs

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            if self.groups > 1:
                y = torch.channel_shuffle(y, self.groups)
            y = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(y)))))
            return x + y if self.shortcut else y

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = Single(3, 16, 3)
            names = iter(text.split("-"))
            cells, inputs = [], 16
            stages = zip((16, 24, 32, 64, 112, 184, 352), (1, 4, 4, 4, 4, 4, 1), (1, 1, 2, 2, 1, 2, 1))
            for outputs, blocks, first_stride in stages:
                for place in range(blocks):
                    name, stride = next(names), first_stride if place == 0 else 1
                    if name != "skip":
                        cells.append(Block(name, inputs, outputs, stride))
                    elif stride == 1 and inputs == outputs:
                        cells.append(nn.Identity())
                    else:
                        cells.append(Single(inputs, outputs, 1, stride))
                    inputs = outputs
            self.cells = nn.Sequential(*cells)
            self.header = Single(352, 1504, 1)
            self.fc = nn.Linear(1504, 10)

        def forward(self, x):
            return self.fc(torch.mean(self.header(self.cells(self.stem(x))), dim=(2, 3)))

    return Network()


def network(space, text):
    return {"nasbench201": nasbench201, "fbnet": fbnet}[space](text).eval()


def write(space, text, weights):
    import torch

    torch.manual_seed(1)
    module = network(space, text)
    # In training, normalisation takes its statistics from what it sees; these become what it keeps.
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, 3, 32, 32))
        for name, values in module.named_parameters():
            if ".bias" in name or values.dim() == 1:
                values.add_(0.2 * torch.randn_like(values))
    torch.save(module.state_dict(), weights)


def compare(space, text, weights, file):
    import onnxruntime
    import torch

    module = network(space, text)
    module.load_state_dict(torch.load(weights, weights_only=True))
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = module(image).numpy()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(["output"], {"input": image.numpy()})[0]
    print(abs(found - expected).max() / abs(expected).max())


if __name__ == "__main__":
    verbs = {"check": lambda *files: check(files), "write": write, "compare": compare}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
