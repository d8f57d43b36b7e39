"""InfoNCE and SeCo written down from the papers with plain numbers and loops: slow, and with nothing in common with `train`."""

import math


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def contrast(query, positive, negatives, temperature):
    """MoCo, eq. 1, for one query."""
    similar = math.exp(dot(query, positive) / temperature)
    others = 0.0
    for negative in negatives:
        others += math.exp(dot(query, negative) / temperature)
    return -math.log(similar / (similar + others))


def mean(values):
    return sum(values) / len(values)


class Process:
    """What one process holds of a step: lists of plain numbers."""

    def __init__(self, query, keys, locations, dates):
        self.query = query  # [space][sample] -> vector
        self.keys = keys  # [space][view][sample] -> vector
        self.locations = locations  # [sample]
        self.dates = dates  # [sample][scene]; the query shows scene 0, the key views scenes 1, 2 and 0


class PlainSeco:
    """SeCo's three terms and its queues over any number of processes."""

    def __init__(self, queue, locations, *, temperature, own_location, same_date, gather):
        self.queue = queue  # [space][place] -> vector
        self.locations = locations  # [place]
        self.pointer = 0
        self.temperature = temperature
        self.own_location, self.same_date, self.gather = own_location, same_date, gather

    def step(self, processes):
        """Terms of each process, [process][space]; then the keys of all enter."""
        terms = [
            [
                mean([self.term(processes, process, space, sample) for sample in range(len(process.locations))])
                for space in range(3)
            ]
            for process in processes
        ]
        for process in processes:
            for sample, location in enumerate(process.locations):
                for space in range(3):
                    self.queue[space][self.pointer] = process.keys[space][space][sample]
                self.locations[self.pointer] = location
                self.pointer = (self.pointer + 1) % len(self.locations)
        return terms

    def term(self, processes, process, space, sample):
        negatives = self.negatives(processes, process, space, sample)
        return contrast(process.query[space][sample], process.keys[space][space][sample], negatives, self.temperature)

    def negatives(self, processes, process, space, sample):
        found = []
        for place, key in enumerate(self.queue[space]):
            if not (self.own_location and self.locations[place] == process.locations[sample]):
                found.append(key)
        if space == 0:
            return found
        for other in processes if self.gather else [process]:
            for view in {0, 1, 2} - {space}:
                found += [
                    key
                    for number, key in enumerate(other.keys[space][view])
                    if not self.is_same_date(process, sample, other, number, view, space)
                ]
        return found

    def is_same_date(self, process, sample, other, number, view, space):
        scene = (1, 2, 0)[view]
        return (
            self.same_date
            and space == 2
            and other.locations[number] == process.locations[sample]
            and other.dates[number][scene] == process.dates[sample][0]
        )
