"""What the workers of tests do. Workers import it by its name in the pack, as they do any object."""

import os
import time

from zoetrope.cluster.worker import Refused


class Calculator:
    """factor: what numbers are multiplied by. fails: the number that it always fails at."""

    def __init__(self, factor=2, fails=None):
        self.factor, self.fails, self.is_stopped = factor, fails, False

    def pid(self):
        return os.getpid()

    def times(self, number):
        if number == self.fails:
            raise ArithmeticError(f"cannot do {number}")
        return self.factor * number

    def length(self, data, number):
        return len(data) + number

    def refuse(self):
        raise Refused("no file there")

    def die(self):
        os._exit(3)

    def wait(self, seconds=600):
        """Until it is cancelled."""
        end = time.monotonic() + seconds
        while not self.is_stopped and time.monotonic() < end:
            time.sleep(0.01)
        return self.is_stopped

    def cancel(self):
        self.is_stopped = True
