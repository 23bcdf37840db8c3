"""What a run has shown so far, kept as a notebook keeps it."""

from __future__ import annotations

import base64
import binascii
import threading

from exec_magic.model import OutputDict


class Transcript:
    """A run's outputs in order; written on the engine's thread, read from any."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._outputs: list[OutputDict] = []
        self._pieces: list[str] = []
        self._display_ids: dict[str, list[OutputDict]] = {}
        self._is_clear_due = False

    def add(self, output: OutputDict) -> None:
        """Take an output, or a message that changes earlier ones."""
        with self._lock:
            kind = output["output_type"]
            if kind == "clear_output":
                self._is_clear_due = True
                if not output["wait"]:
                    self._clear()
            elif kind == "update_display_data":
                self._update(output)
            else:
                if self._is_clear_due:
                    self._clear()
                self._append(output)

    @property
    def outputs(self) -> list[OutputDict]:
        """The outputs as nbformat 4 stores them."""
        with self._lock:
            self._join()
            return [dict(output) for output in self._outputs]

    def stream(self, name: str) -> str:
        """Return all text of `stdout` or `stderr`."""
        streams = [output for output in self.outputs if output["output_type"] == "stream"]
        return "".join(output["text"] for output in streams if output["name"] == name)

    @property
    def text(self) -> str | None:
        """The text of the last expression."""
        for output in reversed(self.outputs):
            if output["output_type"] == "execute_result":
                text = output["data"].get("text/plain")
                return text if isinstance(text, str) else None
        return None

    @property
    def images(self) -> list[bytes]:
        """The PNG images shown, in order; data that is no base64 is left out."""
        images = []
        for output in self.outputs:
            data = output.get("data", {}).get("image/png")
            if isinstance(data, str):
                try:
                    images.append(base64.b64decode(data, validate=False))
                except binascii.Error:
                    continue
        return images

    def _append(self, output: OutputDict) -> None:
        if output["output_type"] == "stream":
            last = self._outputs[-1] if self._outputs else {}
            if last.get("output_type") == "stream" and last["name"] == output["name"]:
                self._pieces.append(output["text"])
                return
            self._join()
            self._outputs.append({**output, "text": ""})
            self._pieces.append(output["text"])
            return
        self._join()
        kept = {key: value for key, value in output.items() if key != "transient"}
        self._outputs.append(kept)
        display_id = output.get("transient", {}).get("display_id")
        if display_id is not None:
            self._display_ids.setdefault(display_id, []).append(kept)

    def _update(self, output: OutputDict) -> None:
        display_id = output["transient"].get("display_id")
        for earlier in self._display_ids.get(display_id, []):
            earlier.update(data=output["data"], metadata=output["metadata"])

    def _join(self) -> None:
        """Join the pieces of the last stream: appending to one text would copy it every time."""
        if self._pieces:
            self._outputs[-1]["text"] += "".join(self._pieces)
            self._pieces.clear()

    def _clear(self) -> None:
        self._outputs.clear()
        self._pieces.clear()
        self._display_ids.clear()
        self._is_clear_due = False
