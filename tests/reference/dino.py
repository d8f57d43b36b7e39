"""DINO's loss, center and schedules written down from the paper with plain numbers and loops, apart from `train`."""

import math


def softmax(numbers):
    greatest = max(numbers)
    powers = [math.exp(number - greatest) for number in numbers]
    return [power / sum(powers) for power in powers]


def cross_entropy(teacher, student):
    return -sum(t * math.log(s) for t, s in zip(teacher, softmax(student), strict=True))


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


class PlainDino:
    """The loss and the center over any number of processes: DINO, algorithm 1, with more than two crops."""

    def __init__(self, prototypes, *, teacher_temperature, student_temperature, center_momentum):
        self.center = [0.0] * prototypes
        self.teacher_temperature, self.student_temperature = teacher_temperature, student_temperature
        self.center_momentum = center_momentum

    def step(self, processes):
        """The loss of each process, then the center moves.

        Args:
            processes: Of each (student, teacher), nested lists [crop][sample][prototype], the global crops first.
        """
        losses = [self.loss(student, teacher) for student, teacher in processes]
        rows = [row for _, teacher in processes for crop in teacher for row in crop]
        for k in range(len(self.center)):
            batch = mean(row[k] for row in rows)
            self.center[k] = self.center_momentum * self.center[k] + (1 - self.center_momentum) * batch
        return losses

    def loss(self, student, teacher):
        terms = []
        for g, sharp in enumerate(teacher):
            for v, crop in enumerate(student):
                if g != v:
                    terms += [self.term(t, s) for t, s in zip(sharp, crop, strict=True)]
        return mean(terms)

    def term(self, teacher, student):
        target = softmax([(t - c) / self.teacher_temperature for t, c in zip(teacher, self.center, strict=True)])
        return cross_entropy(target, [s / self.student_temperature for s in student])


def cosine(step, steps, start, end):
    """From the first step to the last."""
    return end + (start - end) * (1 + math.cos(math.pi * step / (steps - 1))) / 2
