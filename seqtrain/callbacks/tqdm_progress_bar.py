"""Shows progress on stderr: tqdm's bars on a terminal, a plain line for each epoch in a pipe or a log file.

The class has the name and the arguments of TensorFlow Addons' `TQDMProgressBar`, which cannot be imported beside
Keras 3. On a terminal, each finished epoch leaves a line with its metrics above the bars. A bar that redraws itself
fills a log with control characters; so if stderr is not a terminal, each epoch is one line that `tail -f` and `grep`
can read, and a long epoch adds a line every minute.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

import keras

from seqtrain import console
from seqtrain.callbacks.epoch_text import metric_parts, throughput_parts
from seqtrain.callbacks.fitted_bar import FittedBar, Segment, fitted
from seqtrain.errors import ConfigError
from seqtrain.text import duration

Logs = Mapping[str, Any] | None
_BRIEF_S = 0.5
LINE_EVERY_S = 60.0
_NARROW = 100


class TQDMProgressBar(keras.callbacks.Callback):
    """Progress bars by tqdm: for the whole training, for the steps of an epoch with its metrics, and for validation.

    Args:
        metrics_separator: The text between two metrics.
        overall_bar_format: The format of the bar of the training, as tqdm's `bar_format`; `postfix` is the throughput.
        epoch_bar_format: The format of the bars of steps, likewise; `heading` is the epoch, `desc` the metrics.
        metrics_format: The format of one metric, with the fields `name` and `value`.
        update_per_second: The largest number of times that bars are redrawn in a second; above 0.
        leave_epoch_progress: Whether the metrics of an epoch stay on the screen after it.
        leave_overall_progress: Whether the bar of the training stays on the screen after training.
        show_epoch_progress: Whether to show a bar of the steps.
        show_overall_progress: Whether to show a bar of the training.
        progress: `bar` draws bars, `lines` writes a line for each epoch, `none` shows nothing; `auto` draws bars on a
            terminal and writes lines elsewhere. The run supplies it, from `--progress`.
        validation_steps: The number of batches in a validation, which Keras does not pass; supplied by the run.
        watched_metric: The metric that is shown after the loss on a narrow terminal; the run supplies the monitor of
            early stopping.

    Source:
        TensorFlow Addons 0.23, `tfa.callbacks.TQDMProgressBar`, for the names of the arguments.

    Example:
        model.fit(x, y, epochs=3, verbose=0, callbacks=[TQDMProgressBar(leave_epoch_progress=False)])
    """

    def __init__(
        self,
        metrics_separator: str = " - ",
        overall_bar_format: str = "{desc} {percentage:3.0f}% |{bar}| {remaining} left{postfix}",
        epoch_bar_format: str = "{heading} {n_fmt}/{total_fmt} |{bar}| {remaining} left  {desc}",
        metrics_format: str = "{name}: {value:0.4f}",
        update_per_second: float = 10.0,
        leave_epoch_progress: bool = True,
        leave_overall_progress: bool = True,
        show_epoch_progress: bool = True,
        show_overall_progress: bool = True,
        progress: Literal["auto", "bar", "lines", "none"] = "auto",
        validation_steps: int | None = None,
        watched_metric: str | None = None,
    ) -> None:
        super().__init__()
        if update_per_second <= 0:
            raise ConfigError(
                "callbacks.tqdm.update_per_second: must be above 0",
                received=str(update_per_second),
                fix="0.1 redraws every ten seconds; --progress none shows nothing",
            )
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
        self.watched_metric = watched_metric
        self._training = self._compiled = False
        self._overall: FittedBar | None = None
        self._steps: FittedBar | None = None
        self._evaluation: FittedBar | None = None
        self._status = contextlib.ExitStack()
        self._epoch, self._done, self._validated = 0, 0, 0
        self._began = self._started = self._last_line_at = 0.0
        # The numbers of steps of a training epoch and of a validation, known after the first.
        self._known_steps: dict[str, int] = {} if validation_steps is None else {"validation": validation_steps}

    def on_train_begin(self, logs: Logs = None) -> None:
        """Shows the bar of the whole training."""
        self.close()
        self._training, self._compiled = True, False
        self._began = time.monotonic()
        if self._draws_bars and self.show_overall_progress:
            # Padded, so that both bars start in the same column.
            width = (
                len(f"{self._heading(0)} {self._training_steps}/{self._training_steps}")
                if self.show_epoch_progress
                else 0
            )
            self._overall = self._bar(
                "Training".ljust(width - len(" 100%")),
                self._epochs,
                "postfix",
                self.overall_bar_format,
                leave=self.leave_overall_progress,
            )

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Shows the bar of the epoch's steps."""
        self._epoch, self._done, self._started = epoch, 0, time.monotonic()
        self._last_line_at = self._started
        if self._overall is not None and self._overall.n < epoch:  # resumed: begin at this epoch
            self._overall.initial = self._overall.n = epoch
            self._overall.refresh()
        if self._draws_bars and self.show_epoch_progress:
            self._steps = self._bar(self._heading(epoch), self._training_steps, "prefix", self.epoch_bar_format)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Starts the bar at the first batch, not 0 in a resumed epoch, and shows that the graph is compiled."""
        if self._steps is not None and self._steps.n == 0 < batch:
            self._steps.initial = self._steps.n = batch
        if not self._compiled:
            self._status.enter_context(console.status("compiling the model", self.progress))

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advances the bars, and shows the metrics so far."""
        self._status.close()
        self._done, total = batch + 1, self._training_steps
        self._advance(self._steps, batch, logs)
        if self._overall is not None:
            is_only_bar = self._steps is None
            self._overall.parts = lambda: self._parts(logs) if is_only_bar else throughput_parts(logs)
            if total:
                self._overall.update(self._epoch + self._done / total - self._overall.n)
        if not self._compiled:
            self._compiled = True
            for bar in (self._steps, self._overall):
                if bar is not None:
                    bar.count_from_now()
        if self._is_line_due():
            self._write(self._line(f"{self._done}/{total or '?'}", self._parts(logs)))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Closes the bar of the steps, and leaves a line with the epoch's metrics."""
        self._finish(self._steps, "training")
        kept = self._parts(logs, time.monotonic() - self._started)
        if self._steps is not None and self.leave_epoch_progress:
            self._keep(kept, self._steps.width)
        self._steps = None
        if self._overall is not None:
            self._overall.update(epoch + 1 - self._overall.n)
        if self._writes_lines:
            self._write(self._line("", kept))

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes all bars."""
        self.close()

    def on_test_begin(self, logs: Logs = None) -> None:
        """Shows the bar of an evaluation, in `fit` or in `evaluate`."""
        self._close(self._evaluation)
        self._validated = 0
        if not self._training:
            self._started = self._last_line_at = time.monotonic()
        if self._draws_bars and self.show_epoch_progress:
            heading = "Validating".ljust(len(self._heading(0))) if self._training else "Evaluating"
            delay = _BRIEF_S if self._training else 0  # a very short validation should not flicker
            self._evaluation = self._bar(heading, self._test_steps, "prefix", self.epoch_bar_format, delay=delay)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advances the bar of the evaluation."""
        self._validated = batch + 1
        self._advance(self._evaluation, batch, logs)
        if self._is_line_due():
            where = f"{'validating ' if self._training else ''}{self._validated}/{self._test_steps or '?'}"
            self._write(self._line(where, self._parts(logs)))

    def on_test_end(self, logs: Logs = None) -> None:
        """Closes the bar of the evaluation; outside of `fit`, leaves a line with the metrics."""
        was_shown = self._evaluation is not None and self.leave_epoch_progress
        self._finish(self._evaluation, "validation" if self._training else "evaluation")
        self._evaluation = None
        if not self._training and (self._writes_lines or was_shown):
            self._write(self._line("", self._parts(logs, time.monotonic() - self._started)))

    def state_dict(self) -> dict[str, Any]:
        """An empty state: progress bars are not resumed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing: there is no state."""

    def close(self) -> None:
        """Closes all bars at their current count; a second call does nothing."""
        self._status.close()
        self._close(self._evaluation)
        if self._steps is not None:  # interrupted within an epoch: keep its count
            self._steps.bar_format = self.epoch_bar_format.replace("{remaining} left", "stopped")
            last_text = str(self._steps)
            self._close(self._steps)
            self._write(last_text)
        if self._overall is not None:
            self._overall.bar_format = self.overall_bar_format.replace(
                "{remaining} left", f"after {duration(time.monotonic() - self._began)}"
            )
            self._close(self._overall)
        self._evaluation = self._steps = self._overall = None
        self._training = False

    @property
    def _draws_bars(self) -> bool:
        return console.display(self.progress) == "bar"

    @property
    def _writes_lines(self) -> bool:
        return console.display(self.progress) == "lines"

    @property
    def _epochs(self) -> int:
        return int((self.params or {}).get("epochs") or 1)

    @property
    def _num_steps(self) -> int | None:
        return (self.params or {}).get("steps")

    @property
    def _training_steps(self) -> int | None:
        return self._num_steps or self._known_steps.get("training")

    @property
    def _test_steps(self) -> int | None:
        return self._known_steps.get("validation") if self._training else self._num_steps

    def _heading(self, epoch: int) -> str:
        """The name of the epoch, padded so that the bars of all epochs align."""
        return f"Epoch {epoch + 1:>{len(str(self._epochs))}}/{self._epochs}"

    def _line(self, where: str, parts: list[Segment]) -> str:
        """A line for a log file, with all metrics."""
        heading = f"Epoch {self._epoch + 1}/{self._epochs}" if self._training else "Evaluation"
        texts = self.metrics_separator.join(part.text for part in parts)
        return "  ".join(text for text in (heading, where, texts) if text)

    def _keep(self, parts: list[Segment], width: int) -> None:
        """Writes the line of a finished epoch above the bars, no wider than the terminal."""
        heading = self._heading(self._epoch)
        if 0 < width < _NARROW:
            heading = heading.replace("Epoch ", "")
        room = width - len(f"{heading}  ") if width else 10_000
        self._write(f"{heading}  {fitted(parts, room, self.metrics_separator)}")

    def _parts(self, logs: Logs, seconds: float | None = None) -> list[Segment]:
        return self._metric_parts(logs) + throughput_parts(logs, seconds)

    def _metric_parts(self, logs: Logs) -> list[Segment]:
        return metric_parts(logs, self.metrics_format, self.watched_metric)

    def _bar(
        self, heading: str, total: int | None, field: str, bar_format: str, leave: bool = False, delay: float = 0
    ) -> FittedBar:
        return FittedBar(
            heading,
            field,
            ", " if field == "postfix" else self.metrics_separator,
            total=total,
            unit="epochs" if field == "postfix" else "steps",
            bar_format=bar_format,
            leave=leave,
            delay=delay,
            smoothing=0 if field == "postfix" else 0.3,
            mininterval=1 / self.update_per_second,
            file=sys.stderr,
        )

    def _advance(self, bar: FittedBar | None, batch: int, logs: Logs) -> None:
        if bar is not None:
            is_only_bar = self._overall is None
            bar.parts = lambda: self._parts(logs) if is_only_bar else self._metric_parts(logs)
            bar.update(batch + 1 - bar.n)

    def _finish(self, bar: FittedBar | None, phase: str) -> None:
        if bar is not None:
            self._known_steps[phase] = int(bar.n)  # the epoch is over, so this is its number of steps
            self._close(bar)

    def _close(self, bar: FittedBar | None) -> None:
        if bar is not None:
            bar.close()

    def _is_line_due(self) -> bool:
        """Whether lines are written, and none was for a minute."""
        now = time.monotonic()
        if now - self._last_line_at < LINE_EVERY_S or not self._writes_lines:
            return False
        self._last_line_at = now
        return True

    def _write(self, line: str) -> None:
        console.write_above_bars(f"{line}\n")
