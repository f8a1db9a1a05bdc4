"""Run folders as `fit` writes them, made by hand."""

import json

import yaml

CONFIG = {
    "version": 1,
    "seed": 7,
    "source": {"name": "synthetic_sum", "num_samples": 100},
    "sequence": {"name": "arrays"},
    "batch_size": 32,
    "model": {"name": "mlp", "units": [8]},
    "compile": {"optimizer": {"name": "adam", "learning_rate": 0.01}, "loss": "mse"},
    "fit": {"epochs": 4},
    "callbacks": [{"early_stopping": {"monitor": "val_accuracy", "patience": 3}}],
}
LOG = "2026-11-21 09:00:00,100 DEBUG command: seqtrain fit c.yaml\n2026-11-21 09:00:01,100 INFO run folder: x\n"


def make_run(path, accuracies=(0.5, 0.9, 0.7), status="completed", config=None, log=LOG, started="09:00:00", meta=None):
    """A run that logged an epoch every ten seconds; without a result where its status is None."""
    path.mkdir(parents=True)
    rows = [
        {
            "epoch": i,
            "loss": 1.0 - a,
            "val_accuracy": a,
            "val_loss": 2 * (1.0 - a),
            "time": f"2026-11-21T09:00:{i + 1}0+00:00",
        }
        for i, a in enumerate(accuracies)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **(config or {})}, sort_keys=False))
    (path / "split.json").write_text(json.dumps({"num_train": 80, "num_val": 20, "num_samples": 100}))
    about = {"started": f"2026-11-21T{started}+00:00", "argv": ["/bin/seqtrain", "fit", "c.yaml"], "hostname": "box"}
    about |= {"cpus": 2, "python": "3.11.7", "seqtrain": "0.1.0", "packages": {"keras": "3.15.1"}, "devices": ["cpu:0"]}
    (path / "meta.json").write_text(json.dumps({**about, **(meta or {})}))
    (path / "train.log").write_text(log)
    if status is not None:
        (path / "result.json").write_text(json.dumps({"status": status, "epochs": len(rows)}))
    return path
