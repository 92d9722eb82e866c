"""The same multilayer perceptron in PyTorch and in edgefit, in turns on one machine: training and inference on the CPU.

    pip install torch numpy
    python3 benches/peer.py [--rounds 3] [--threads 2]

96-256-256-256-3, ReLU, batch 512, AdamW, mean squared error, as in benches/mlp.rs. Each round runs both, one after the
other; the table shows the medians over the rounds and their ratio, above 1 where edgefit is faster.

PyTorch's threads wait for each other by spinning, which is fastest on an idle machine and up to ten times slower on a busy
one. So PyTorch runs under both of OpenMP's wait policies and the better figure counts; every run states how much of the
processors others used; and where that is more than a few percent, no ratio is printed and the exit status is 1.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

MEASURED_S = 2.0
STRETCHES = 20
MOST_BY_OTHERS = 0.05
FIGURES = ["training", "training-clipped", "inference-1", "inference-1000"]


def seconds_per_call(call):
    """Median over stretches, as in mlp.rs."""

    def stretch(length):
        start, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - start < length:
            call()
            calls += 1
        return (time.perf_counter() - start) / calls

    stretch(MEASURED_S / 10)
    return statistics.median(stretch(MEASURED_S / STRETCHES) for _ in range(STRETCHES))


def run_torch(threads):
    """Figures of PyTorch, in the units of mlp.rs."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)

    def mlp():
        widths = [96, 256, 256, 256, 3]
        layers = []
        for first, second in zip(widths, widths[1:]):
            layers += [nn.Linear(first, second), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    figures = {}
    for figure, clipped in [("training", False), ("training-clipped", True)]:
        model = mlp()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        inputs, targets = torch.rand(512, 96) * 2 - 1, torch.rand(512, 3) * 2 - 1

        def step():
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if clipped:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

        figures[figure] = 1.0 / seconds_per_call(step)
    model = mlp().eval()
    with torch.inference_mode():
        for figure, batch in [("inference-1", 1), ("inference-1000", 1000)]:
            inputs = torch.rand(batch, 96) * 2 - 1
            figures[figure] = seconds_per_call(lambda: model(inputs).numpy()) * 1e6
    return figures


def build():
    """Builds the bench and returns its path."""
    command = ["cargo", "bench", "--locked", "--bench", "mlp", "--no-run", "--message-format=json-render-diagnostics"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    paths = [message["executable"] for message in messages if message.get("target", {}).get("name") == "mlp"]
    return paths[-1]


def run_edgefit(binary, backend, threads):
    """Figures of mlp.rs on one backend."""
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    lines = subprocess.run([binary, backend], check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return {figure: float(value) for _, figure, value, _ in map(str.split, lines.splitlines())}


def run_torch_apart(threads):
    """The better of both wait policies, each in a process of its own, so that its threads are gone while edgefit runs."""
    command = [sys.executable, __file__, "--torch-only", "--threads", str(threads)]
    runs = []
    for policy in ["ACTIVE", "PASSIVE"]:
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY=policy)
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        runs.append(json.loads(output))
    best = {True: max, False: min}
    return {figure: best[is_rate(figure)](run[figure] for run in runs) for figure in FIGURES}


def is_rate(figure):
    """Whether more is better."""
    return figure.startswith("training")


def busy_seconds():
    """Processor seconds used by everyone, and by this script's finished children (Linux)."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal, *_ = map(int, file.readline().split()[1:])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    used = children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), used


def watched(call):
    """Result of a call, and the share of all processors that others used meanwhile."""
    start, everyone, ours = time.perf_counter(), *busy_seconds()
    result = call()
    everyone_after, ours_after = busy_seconds()
    available = (time.perf_counter() - start) * os.cpu_count()
    return result, max(0.0, (everyone_after - everyone) - (ours_after - ours)) / available


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backends", nargs="+", default=["flex", "ndarray"])
    parser.add_argument("--torch-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_only:
        print(json.dumps(run_torch(options.threads)))
        return 0
    binary = build()
    rounds, most = [], 0.0
    for _ in range(options.rounds):
        calls = {"torch": lambda: run_torch_apart(options.threads)}
        for backend in options.backends:
            calls[backend] = lambda backend=backend: run_edgefit(binary, backend, options.threads)
        figures = {}
        for name, call in calls.items():
            figures[name], others = watched(call)
            most = max(most, others)
            print(f"{name}: others used {100 * others:.1f} %: {json.dumps(figures[name])}", file=sys.stderr)
        rounds.append(figures)
    if most > MOST_BY_OTHERS:
        print(f"no ratios: others used up to {100 * most:.0f} % of the processors; run on an idle machine", file=sys.stderr)
        return 1
    print_table(rounds, options.backends)
    return 0


def print_table(rounds, backends):
    """Medians over the rounds and ratios."""
    print(f"{'figure':<18}{'PyTorch':>10}" + "".join(f"{name:>10}{'ratio':>8}" for name in backends))
    for figure in FIGURES:
        median = {name: statistics.median(one[name][figure] for one in rounds) for name in ["torch", *backends]}
        cells = ""
        for name in backends:
            ratio = median[name] / median["torch"]
            cells += f"{median[name]:>10.1f}{ratio if is_rate(figure) else 1 / ratio:>8.2f}"
        print(f"{figure:<18}{median['torch']:>10.1f}{cells}  {'steps/s' if is_rate(figure) else 'us'}")


if __name__ == "__main__":
    sys.exit(main())
