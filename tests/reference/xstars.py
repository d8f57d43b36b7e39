"""X-STARS' alignment, the overlap of tokens with ground and cross-sensor retrieval, as plain loops, apart from `train`."""

import math


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def alignment(embeddings, valid, locations, temperature):
    """MSAD of a whole batch.

    Args:
        embeddings: Nested lists [sensor][sample][token][dim].
        valid: [sensor][sample][token].
        locations: [sample].
        temperature: Of the softmax.
    """
    terms = []
    for a in range(len(embeddings)):
        for b in range(len(embeddings)):
            if a != b:
                terms += _terms(embeddings[a], embeddings[b], _both(valid[a], valid[b]), locations, temperature)
    return sum(terms) / len(terms) if terms else 0.0


def _both(left, right):
    return [[a and b for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def _terms(anchors, others, valid, locations, temperature):
    found = []
    for n, tokens in enumerate(anchors):
        for i, anchor in enumerate(tokens):
            if not valid[n][i]:
                continue
            positive = math.exp(dot(anchor, others[n][i]) / temperature)
            total = positive
            for m, other in enumerate(others):
                if locations[m] != locations[n] and valid[m][i]:
                    total += math.exp(dot(anchor, other[i]) / temperature)
            found.append(-math.log(positive / total))
    return found


def valid_share(valid, box, row, column, tokens):
    """Share of a token's ground that lies on valid pixels of one image.

    Args:
        valid: Nested lists [row][column] of pixels.
        box: Top, left, height, width in pixels.
        row: Of the token.
        column: Of the token.
        tokens: Along a side.
    """
    top, left, height, width = box
    covered = 0.0
    for y, line in enumerate(valid):
        for x, seen in enumerate(line):
            if seen:
                down = _overlap(y, top + height * row / tokens, height / tokens)
                covered += down * _overlap(x, left + width * column / tokens, width / tokens)
    return covered / (height * width / tokens**2)


def _overlap(pixel, start, length):
    return max(0.0, min(pixel + 1, start + length) - max(pixel, start))


def cosine(left, right):
    return dot(left, right) / math.sqrt(dot(left, left) * dot(right, right))


def centred(features, valid):
    """Features [location][token][dim] less their mean over the valid tokens."""
    seen = [token for n, row in enumerate(features) for i, token in enumerate(row) if valid[n][i]]
    mean = [sum(numbers) / len(seen) for numbers in zip(*seen, strict=True)]
    return [[[a - b for a, b in zip(token, mean, strict=True)] for token in row] for row in features]


def retrieval_at_1(query, key, valid, *, within):
    """Share of tokens that find their own, chance, and how many were asked for.

    Args:
        query: Nested lists [location][token][dim].
        key: The same, of the other sensor.
        valid: [location][token].
        within: Whether candidates are those of the location; otherwise those at the position.
    """
    query, key = centred(query, valid), centred(key, valid)
    found, chances = [], []
    for n, row in enumerate(valid):
        for i, asks in enumerate(row):
            places = [(n, j) for j in range(len(row))] if within else [(m, i) for m in range(len(valid))]
            candidates = [(m, j) for m, j in places if valid[m][j]]
            if asks and len(candidates) > 1:
                similar = {place: cosine(query[n][i], key[place[0]][place[1]]) for place in candidates}
                own = similar.pop((n, i))
                found.append(own > max(similar.values()))
                chances.append(1 / len(candidates))
    return sum(found) / len(found), sum(chances) / len(chances), len(found)
