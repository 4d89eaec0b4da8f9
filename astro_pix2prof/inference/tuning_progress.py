# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Progress bars of fine-tuning.
"""

__all__ = ['StepBar', 'TrainingBar']


class StepBar:
    """
    Progress bar of the steps of a training.
    """

    def __init__(self, shown, steps):
        self.shown, self.steps, self.bar = shown, steps, None

    def __enter__(self):
        if not self.shown:
            return None
        from tqdm import tqdm

        self.bar = tqdm(total=self.steps, unit='step')
        return self.show

    def __exit__(self, *args):
        if self.bar is not None:
            self.bar.close()

    def show(self, step, steps, score):
        """
        Show the step and the error of the held-out galaxies (mag).
        """
        self.bar.update(step - self.bar.n)
        self.bar.set_postfix_str(f'held-out error {score:.4f} mag')


class TrainingBar:
    """
    Progress bar of several trainings.
    """

    def __init__(self, shown):
        self.shown, self.bar = shown, None

    def __enter__(self):
        return self.show if self.shown else None

    def __exit__(self, *args):
        if self.bar is not None:
            self.bar.close()

    def show(self, done, n):
        """
        Show how many of n trainings are done.
        """
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=n, unit='training')
        self.bar.update(done - self.bar.n)
