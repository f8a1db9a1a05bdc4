"""Progress on stderr: tqdm's bars on a terminal, a plain line an epoch in a pipe or a log file.

The class has the name and the arguments of TensorFlow Addons' `TQDMProgressBar`, which cannot be imported beside
Keras 3. A bar that redraws itself fills a log with control characters, so where stderr is no terminal each epoch is
one line that `tail -f` and `grep` can read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from tqdm import tqdm

Logs = Mapping[str, Any] | None


class TQDMProgressBar(keras.callbacks.Callback):
    """Progress bars by tqdm: one of epochs, one of steps with running metrics, one for evaluation.

    Args:
        metrics_separator: Stands between two metrics.
        overall_bar_format: Format of the bar of epochs, as tqdm's `bar_format`.
        epoch_bar_format: Format of the bar of steps, as tqdm's `bar_format`.
        metrics_format: Format of one metric, with `name` and `value`.
        update_per_second: How often bars are redrawn at most.
        leave_epoch_progress: Whether the bar of steps stays after its epoch.
        leave_overall_progress: Whether the bar of epochs stays after training.
        show_epoch_progress: Whether there is a bar of steps.
        show_overall_progress: Whether there is a bar of epochs.
        progress: `bar` draws bars, `lines` writes a line an epoch, `none` is silent; `auto` draws bars on a terminal
            and writes lines elsewhere. The run supplies it, from `--progress`.

    Source:
        TensorFlow Addons 0.23, `tfa.callbacks.TQDMProgressBar`, for the names and defaults of the arguments.

    Example:
        model.fit(x, y, epochs=3, verbose=0, callbacks=[TQDMProgressBar(leave_epoch_progress=False)])
    """

    def __init__(
        self,
        metrics_separator: str = " - ",
        overall_bar_format: str = "{l_bar}{bar} {n_fmt}/{total_fmt} ETA: {remaining}s,  {rate_fmt}{postfix}",
        epoch_bar_format: str = "{n_fmt}/{total_fmt}{bar} ETA: {remaining}s - {desc}",
        metrics_format: str = "{name}: {value:0.4f}",
        update_per_second: int = 10,
        leave_epoch_progress: bool = True,
        leave_overall_progress: bool = True,
        show_epoch_progress: bool = True,
        show_overall_progress: bool = True,
        progress: Literal["auto", "bar", "lines", "none"] = "auto",
    ) -> None:
        super().__init__()
        self.metrics_separator = metrics_separator
        self.overall_bar_format = overall_bar_format
        self.epoch_bar_format = epoch_bar_format
        self.metrics_format = metrics_format
        self.update_per_second = update_per_second
        self.leave_epoch_progress = leave_epoch_progress
        self.leave_overall_progress = leave_overall_progress
        self.show_epoch_progress = show_epoch_progress
        self.show_overall_progress = show_overall_progress
        self.progress = progress
        self._training = False
        self._overall: tqdm[Any] | None = None
        self._steps: tqdm[Any] | None = None
        self._evaluation: tqdm[Any] | None = None
        self._started = 0.0
        self._known_steps: dict[str, int] = {}  # of a training epoch and of a validation, once one has ended

    def on_train_begin(self, logs: Logs = None) -> None:
        """Shows the bar of epochs."""
        self.close()
        self._training = True
        if self._draws_bars and self.show_overall_progress:
            self._overall = self._bar(
                self._epochs, "Training", "epochs", self.overall_bar_format, self.leave_overall_progress
            )

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Shows the bar of the epoch's steps."""
        self._started = time.monotonic()
        if self._overall is not None and self._overall.n < epoch:  # a run that begins in the middle
            self._overall.initial = self._overall.n = epoch
            self._overall.refresh()
        if self._draws_bars and self.show_epoch_progress:
            tqdm.write(self._heading(epoch), file=sys.stderr)
            total = self._num_steps or self._known_steps.get("training")
            self._steps = self._bar(total, "", "steps", self.epoch_bar_format, self.leave_epoch_progress)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Begins where a run that goes on in the middle of an epoch begins."""
        if self._steps is not None and self._steps.n == 0 < batch:
            self._steps.initial = self._steps.n = batch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar on and shows the metrics so far."""
        self._advance(self._steps, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Ends the bar of steps with the metrics of the epoch, or writes the line."""
        self._finish(self._steps, logs, "training")
        self._steps = None
        if self._overall is not None:
            self._overall.update(1)
        if self._writes_lines:
            seconds = f"{time.monotonic() - self._started:.1f} s"
            self._write(f"{self._heading(epoch)}  {self.metrics_separator.join([*self._metrics(logs), seconds])}")

    def on_train_end(self, logs: Logs = None) -> None:
        """Ends every bar."""
        self.close()

    def on_test_begin(self, logs: Logs = None) -> None:
        """Shows the bar of an evaluation, in training or by itself."""
        self._close(self._evaluation)
        self._started = self._started if self._training else time.monotonic()
        if self._draws_bars and self.show_epoch_progress:
            keep = self.leave_epoch_progress and not self._training
            total = self._known_steps.get("validation") if self._training else self._num_steps
            self._evaluation = self._bar(total, "", "steps", self.epoch_bar_format, keep)
            self._evaluation.set_description_str("Evaluating")

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the evaluation's bar on."""
        self._advance(self._evaluation, batch, logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Ends the evaluation's bar; by itself, an evaluation writes its line."""
        self._finish(self._evaluation, logs, "validation" if self._training else "evaluation")
        self._evaluation = None
        if self._writes_lines and not self._training:
            seconds = f"{time.monotonic() - self._started:.1f} s"
            self._write(f"Evaluation  {self.metrics_separator.join([*self._metrics(logs), seconds])}")

    def state_dict(self) -> dict[str, Any]:
        """Nothing: bars belong to one process."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes nothing."""

    def close(self) -> None:
        """Ends every bar where it stands; called again it does nothing."""
        for bar in (self._evaluation, self._steps, self._overall):
            self._close(bar)
        self._evaluation = self._steps = self._overall = None
        self._training = False

    @property
    def _draws_bars(self) -> bool:
        return self.progress == "bar" or (self.progress == "auto" and sys.stderr.isatty())

    @property
    def _writes_lines(self) -> bool:
        return self.progress == "lines" or (self.progress == "auto" and not sys.stderr.isatty())

    @property
    def _epochs(self) -> int:
        return int((self.params or {}).get("epochs") or 1)

    @property
    def _num_steps(self) -> int | None:
        return (self.params or {}).get("steps")

    def _heading(self, epoch: int) -> str:
        return f"Epoch {epoch + 1}/{self._epochs}"

    def _metrics(self, logs: Logs) -> list[str]:
        numbers = {name: value for name, value in (logs or {}).items() if _is_number(value)}
        return [self._metric(name, float(value)) for name, value in numbers.items()]

    def _metric(self, name: str, value: float) -> str:
        if name == "samples_per_s":
            return f"{value:.0f} samples/s"
        if name == "data_wait":
            return f"data wait {value:.0%}"
        return self.metrics_format.format(name=name, value=value)

    def _bar(self, total: int | None, description: str, unit: str, bar_format: str, leave: bool) -> tqdm[Any]:
        return tqdm(
            total=total,
            desc=description,
            unit=unit,
            bar_format=bar_format,
            leave=leave,
            mininterval=1 / self.update_per_second,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def _advance(self, bar: tqdm[Any] | None, batch: int, logs: Logs) -> None:
        if bar is not None:
            bar.set_description_str(self.metrics_separator.join(self._metrics(logs)), refresh=False)
            bar.update(batch + 1 - bar.n)

    def _finish(self, bar: tqdm[Any] | None, logs: Logs, phase: str) -> None:
        if bar is not None:
            bar.set_description_str(self.metrics_separator.join(self._metrics(logs)), refresh=False)
            bar.total = self._known_steps[phase] = int(bar.n)  # it ended here, so this is its length
            self._close(bar)

    def _close(self, bar: tqdm[Any] | None) -> None:
        if bar is not None:
            bar.refresh()
            bar.close()

    def _write(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _is_number(value: Any) -> bool:
    """Whether a log can be shown: other callbacks may put texts or arrays there."""
    return not isinstance(value, str) and np.ndim(value) == 0
