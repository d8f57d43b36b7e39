"""SeCo's step as its released code takes it, from section 1.4 of our notes on it: one process, queues as (space, dim, K)."""

import torch
from torch.nn.functional import cross_entropy, normalize


class Released:
    def __init__(self, encoder_q, encoder_k, heads_q, heads_k, *, queue, temperature=0.07, momentum=0.999):
        self.encoder_q, self.encoder_k, self.heads_q, self.heads_k = encoder_q, encoder_k, heads_q, heads_k
        self.queue, self.pointer = queue, [0, 0, 0]
        self.temperature, self.momentum = temperature, momentum

    def follow(self):
        for student, teacher in zip(
            [*self.encoder_q.parameters(), *self.heads_q.parameters()],
            [*self.encoder_k.parameters(), *self.heads_k.parameters()],
            strict=True,
        ):
            teacher.data = teacher.data * self.momentum + student.data * (1 - self.momentum)

    def losses(self, image_q, images_k):
        """The three terms; the queues then hold this step's keys."""
        v_q = self.encoder_q(image_q)
        with torch.no_grad():
            self.follow()
            v_k = [self.encoder_k(image) for image in images_k]
        terms = []
        for i in range(3):
            z_q = normalize(self.heads_q[i](v_q), dim=1)
            with torch.no_grad():
                z_k = [normalize(self.heads_k[i](v), dim=1) for v in v_k]
            l_pos = torch.einsum("nc,nc->n", z_q, z_k[i]).unsqueeze(-1)
            negatives = self.queue[i].clone()
            if i > 0:
                extra = [z_k[j].T for j in range(3) if j != i]
                negatives = torch.cat([negatives, *extra], dim=1)
            l_neg = torch.einsum("nc,ck->nk", z_q, negatives)
            logits = torch.cat([l_pos, l_neg], dim=1) / self.temperature
            terms.append(cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)))
            start = self.pointer[i]
            self.queue[i, :, start : start + len(z_q)] = z_k[i].T
            self.pointer[i] = (start + len(z_q)) % self.queue.shape[2]
        return terms
