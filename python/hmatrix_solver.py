"""Factorizations that hmatrix saved, for hmatrix_reader: NumPy alone."""
import numpy as np

from hmatrix_reader import Hierarchical, Saved, block, within


def _starts(lengths):
    return np.concatenate(([0], np.cumsum(lengths[:-1])))


class Factorization(Saved):
    """K + λI, factored: `@` solves."""

    def __init__(self, header, arrays):
        super().__init__(header, arrays, header['matrix']['size'])
        self.matrix = Hierarchical(header['matrix'], within('matrix', arrays))

    def _multiply(self, given):
        tree, shift = self.matrix, self.header['shift']
        x = given[tree.order]
        isolated = tree.begin[0]
        x[:isolated] /= shift if isolated > 0 else 1
        (self._hss if tree.nested else self._hodlr)(tree, x)
        return x[np.argsort(tree.order)]

    def _hss(self, tree, x):
        indefinite, counts, factors, kept, rests = self.header['indefinite'], tree.sizes - tree.rank, {}, {}, {}
        counts[:tree.leaf0] = tree.rank[1:].reshape(-1, 2).sum(1) - tree.rank[:tree.leaf0]
        upwards = sorted(range(tree.nodes), key=lambda node: (-(node + 1).bit_length(), node))
        starts = _starts((counts * (counts + tree.rank))[upwards])[np.argsort(upwards)]
        signs = tree.begin[0] + _starts(counts)
        for node in reversed(range(tree.nodes)):
            r, k = counts[node], tree.rank[node]
            lower = block(self.arrays['factors'], starts[node], r, r)
            v = block(self.arrays['factors'], starts[node] + r * r, r, k)
            skeletons, rest = tree.split(node, x, kept)
            t = tree.basis(node, r) if k > 0 else np.zeros((r, 0))
            rest = rest - t @ skeletons
            rest = lower.T @ rest if indefinite else np.linalg.solve(np.tril(lower), rest)
            kept[node] = skeletons - v.T @ rest
            if indefinite:
                rest = rest * np.asarray(self.arrays['signs'][signs[node]:signs[node] + r])[:, None]
            factors[node], rests[node] = (lower, v, t), rest
        x[tree.begin[0]:] = 0
        found = {node: np.zeros((k, x.shape[1])) for node, k in enumerate(tree.rank)}
        for node in range(tree.nodes):
            lower, v, t = factors[node]
            rest = rests[node] - v @ found[node]
            rest = lower @ rest if indefinite else np.linalg.solve(np.tril(lower).T, rest)
            tree.join(node, found[node] - t.T @ rest, rest, x, found)

    def _hodlr(self, tree, x):
        sibling = [0, *(node + 1 if node % 2 else node - 1 for node in range(1, tree.nodes))]
        k = np.minimum(tree.rank, tree.rank[sibling])
        bases = _starts(tree.sizes * k)
        starts = _starts(np.concatenate((2 * k[1::2] ** 2, tree.sizes[tree.leaf0:] ** 2)))
        rows = [slice(*pair) for pair in zip(tree.begin, tree.end)]

        def parts(node):
            l, r, order = 2 * node + 1, 2 * node + 2, k[2 * node + 1]
            corner = [block(self.arrays['factors'], starts[node] + j * order**2, order, order) for j in (0, 1)]
            ql, qr = (block(self.arrays['bases'], bases[one], tree.sizes[one], order) for one in (l, r))
            return rows[l], rows[r], ql, qr, corner[0], np.tril(corner[1])

        leaf = lambda node: np.tril(block(self.arrays['factors'], starts[node], *tree.sizes[[node, node]]))
        for node in reversed(range(tree.nodes)):
            if node >= tree.leaf0:
                x[rows[node]] = np.linalg.solve(leaf(node), x[rows[node]])
                continue
            l, r, ql, qr, corner, c = parts(node)
            t = qr.T @ x[r]
            x[r] += qr @ (np.linalg.solve(c, t - corner.T @ (ql.T @ x[l])) - t)
        for node in range(tree.nodes):
            if node >= tree.leaf0:
                x[rows[node]] = np.linalg.solve(leaf(node).T, x[rows[node]])
                continue
            l, r, ql, qr, corner, c = parts(node)
            t = qr.T @ x[r]
            s = np.linalg.solve(c.T, t)
            x[l] -= ql @ (corner @ s)
            x[r] += qr @ (s - t)


KINDS = {'factorization': Factorization}
