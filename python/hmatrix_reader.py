"""Reads what hmatrix saved, and multiplies and solves with it: NumPy alone.

    import hmatrix_reader
    matrix = hmatrix_reader.load('covariance.npz')
    y = matrix @ x                                        # x of N numbers, or N x p
    b = hmatrix_reader.load('factors.npz') @ x            # of a factorization: (K + λI)^-1 x
    operator = hmatrix_reader.linear_operator(matrix)     # a scipy.sparse.linalg.LinearOperator

Arrays are mapped: nothing is read before it is used. What stands where: docs/file-format.md. hmatrix_solver.py and
hmatrix_kronecker.py, beside this file, read factorizations and what lies in a Kronecker basis.
"""
import json
import zipfile

import numpy as np

VERSION = 2


def load(path, verify=False):
    """The matrix or factorization in a file; with `verify` every checksum is compared first. Raises ValueError."""
    if not zipfile.is_zipfile(path):
        with open(path, 'rb'):
            raise ValueError(f'{path}: not a file that hmatrix wrote, or one that is cut off')
    with zipfile.ZipFile(path) as archive, open(path, 'rb') as file:
        members = archive.infolist()
        if not members or members[0].filename != 'hmatrix.json':
            raise ValueError(f'{path}: not a file that hmatrix wrote')
        directory = json.loads(archive.read(members[0]))
        if directory.get('format') != 'hmatrix' or directory.get('version') != VERSION:
            raise ValueError(f"{path}: format version {directory.get('version')}, this reader reads {VERSION}")
        if verify and (damaged := archive.testzip()) is not None:
            raise ValueError(f'{path}: member {damaged} is damaged')
        listed = zip(directory['arrays'], members[1:])
        arrays = {array['name']: _mapped(path, file, member) for array, member in listed}
    header = directory['header']
    content = str(header.get('content'))
    kinds = KINDS
    if content == 'factorization':
        from hmatrix_solver import KINDS as kinds
    elif content.startswith('kronecker'):
        from hmatrix_kronecker import KINDS as kinds
    if content not in kinds:
        raise ValueError(f'{path}: a file of {content}, which this reader does not read')
    return kinds[content](header, arrays)


def linear_operator(saved):
    """A saved matrix as SciPy's LinearOperator, a factorization as that of its inverse."""
    from scipy.sparse.linalg import LinearOperator

    multiply = saved.__matmul__
    return LinearOperator(saved.shape, matvec=multiply, matmat=multiply, rmatvec=multiply, dtype=np.float64)


def _mapped(path, file, member):
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f'{path}: member {member.filename} is compressed')
    file.seek(member.header_offset + 26)
    file.seek(member.header_offset + 30 + sum(np.frombuffer(file.read(4), '<u2').tolist()))
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return np.memmap(path, dtype, 'r', file.tell(), shape) if shape[0] > 0 else np.empty(0, dtype)


def within(name, arrays):
    return {key[len(name) + 1:]: array for key, array in arrays.items() if key.startswith(name + '.')}


def block(array, at, rows, cols):
    return array[int(at):int(at) + rows * cols].reshape((rows, cols), order='F')


class Saved:
    """N x N and symmetric; `@` multiplies with N numbers or N x p, a factorization by the inverse."""

    def __init__(self, header, arrays, size):
        self.header, self.arrays, self.shape = header, arrays, (size, size)

    def __matmul__(self, x):
        x = np.asarray(x)
        if x.dtype.kind not in 'fiub':
            raise ValueError(f'x has elements of type {x.dtype}, not real numbers')
        if x.ndim not in (1, 2):
            raise ValueError(f'x has {x.ndim} dimensions, not 1 or 2')
        x = x.astype(np.float64, copy=False)
        if x.shape[0] != self.shape[1]:
            raise ValueError(f'x has {x.shape[0]} rows, the matrix {self.shape[1]} columns')
        return self._multiply(x.reshape(len(x), -1)).reshape(x.shape)


class Hierarchical(Saved):
    """A hierarchical matrix of any format."""

    def __init__(self, header, arrays):
        super().__init__(header, arrays, header['size'])
        self.order, self.begin, self.end = (np.asarray(arrays['tree.' + name]) for name in ('order', 'begin', 'end'))
        self.nodes, self.leaf0 = len(self.begin), len(self.begin) // 2
        self.first = np.asarray(arrays['skeletons.begin'])
        self.rank = np.diff(self.first)
        self.nested = header['format'] != 'hodlr'
        self.sizes = self.end - self.begin

    def gather(self, node):
        return np.asarray(self.arrays['skeletons.gather'][self.first[node]:self.first[node + 1]])

    def basis(self, node, rows):
        return block(self.arrays['values'], self.arrays['offsets.basis'][node], rows, self.rank[node])

    def split(self, node, x, of):
        """The numbers of a node's skeletons, and of its other candidates: of a leaf from x, else its children's."""
        k = self.rank[node]
        if node >= self.leaf0:
            own = x[self.begin[node]:self.end[node]]
            return own[:k], own[k:]
        left, right, picked = of[2 * node + 1], of[2 * node + 2], self.arrays['skeletons.picked']
        rest = np.concatenate((left[picked[2 * node + 1]:], right[picked[2 * node + 2]:]))
        return np.concatenate((left, right))[self.gather(node)], rest

    def join(self, node, skeletons, rest, x, of):
        """Adds to a leaf's numbers in x, or to its children's, what belongs to skeletons and other candidates."""
        if node >= self.leaf0:
            x[self.begin[node]:self.end[node]] += np.concatenate((skeletons, rest))
            return
        picked, kl = self.arrays['skeletons.picked'], self.rank[2 * node + 1]
        both = np.zeros((kl + self.rank[2 * node + 2], x.shape[1]))
        both[self.gather(node)] = skeletons
        cut = kl - picked[2 * node + 1]
        both[picked[2 * node + 1]:kl] = rest[:cut]
        both[kl + picked[2 * node + 2]:] = rest[cut:]
        of[2 * node + 1] = of[2 * node + 1] + both[:kl]
        of[2 * node + 2] = of[2 * node + 2] + both[kl:]

    def diagonal_block(self, leaf):
        pair = [n for n in (leaf & ~1, leaf | 1) if n <= self.leaf0]
        m, n, odd = max(self.sizes[self.leaf0 + one] for one in pair), self.sizes[self.leaf0 + leaf], leaf & 1
        both = block(self.arrays['values'], self.arrays['offsets.diagonal'][leaf >> 1], m, m + (len(pair) > 1))
        half = np.triu(both[:n, 1:n + 1]) if odd else np.tril(both[:n, :n])
        return half + half.T - np.diag(np.diag(half))

    def _multiply(self, given):
        x, arrays, leaf0 = given[self.order], self.arrays, self.leaf0
        up, down, y = {}, {}, np.zeros(given.shape)
        for node in reversed(range(self.nodes)):
            if not self.nested and node < leaf0:
                up[node] = self.basis(node, self.sizes[node]).T @ x[self.begin[node]:self.end[node]]
            else:
                skeletons, rest = self.split(node, x, up)
                up[node] = skeletons + (self.basis(node, len(rest)).T @ rest if self.rank[node] > 0 else 0)
            down[node] = np.zeros(up[node].shape)
        for f, (a, b) in enumerate(np.asarray(arrays['lists.far']).reshape(-1, 2)):
            coupling = block(arrays['values'], arrays['offsets.coupling'][f], self.rank[a], self.rank[b])
            down[a] += coupling @ up[b]
            down[b] += coupling.T @ up[a]
        for node in range(self.nodes):
            if not self.nested and node < leaf0:
                y[self.begin[node]:self.end[node]] += self.basis(node, self.sizes[node]) @ down[node]
            elif self.rank[node] > 0:
                candidates = self.sizes[node] if node >= leaf0 else self.rank[2 * node + 1] + self.rank[2 * node + 2]
                basis = self.basis(node, candidates - self.rank[node])
                self.join(node, down[node], basis @ down[node], y, down)
        for a in range(leaf0 + 1):
            rows = slice(self.begin[leaf0 + a], self.end[leaf0 + a])
            for e in range(arrays['lists.nearBegin'][a], arrays['lists.nearBegin'][a + 1]):
                b = int(arrays['lists.near'][e])
                columns = slice(self.begin[leaf0 + b], self.end[leaf0 + b])
                if b == a:
                    y[rows] += self.diagonal_block(a) @ x[rows]
                elif b > a:
                    near = block(arrays['values'], arrays['offsets.near'][e], *self.sizes[[leaf0 + a, leaf0 + b]])
                    y[rows] += near @ x[columns]
                    y[columns] += near.T @ x[rows]
        return y[np.argsort(self.order)]


class LowRank(Saved):
    """U·diag(s)·Uᵀ."""

    def __init__(self, header, arrays):
        super().__init__(header, arrays, header['size'])
        self.vectors = block(arrays['vectors'], 0, header['size'], header['rank'])

    def _multiply(self, x):
        return self.vectors @ (np.asarray(self.arrays['values'])[:, None] * (self.vectors.T @ x))


KINDS = {'hierarchical matrix': Hierarchical, 'low rank': LowRank}
