"""Kronecker sums, matrices in the Kronecker eigenbasis and their factorizations, for hmatrix_reader: NumPy alone."""
import numpy as np

from hmatrix_reader import Hierarchical, Saved, block, within
from hmatrix_solver import Factorization


class _Rotated(Saved):
    """Q·H·Qᵀ + complement, layer by layer; a subclass multiplies by H."""

    def __init__(self, header, arrays):
        super().__init__(header, arrays, header['size'])
        self.layers = []
        for number, layer in enumerate(header['layers']):
            w, o, d, u = (layer[name] for name in ('width', 'outputs', 'directions', 'units'))
            inputs = block(arrays[f'inputVectors.{number}'], 0, w, d)
            outputs = block(arrays[f'outputVectors.{number}'], 0, o, u) if layer['outputVectors'] else None
            complement = self.complement_of(number, w) if layer['complement'] else None
            place = slice(layer['offset'], layer['offset'] + w * o)
            self.layers.append((place, (w, o), inputs, outputs, (d, u), complement))

    def complement_of(self, number, width):
        return block(self.arrays[f'complement.{number}'], 0, width, width)

    def _multiply(self, x):
        y, parts = np.zeros(x.shape), []
        p = x.shape[1]
        for place, shape, inputs, outputs, rotated, _ in self.layers:
            v = x[place].reshape((*shape, p), order='F')
            if outputs is not None:
                v = np.einsum('wop,ou->wup', v, outputs)
            parts.append(np.einsum('wd,wup->dup', inputs, v) if 0 not in rotated else np.zeros((*rotated, p)))
        for part, (place, shape, inputs, outputs, rotated, complement) in zip(self.core(parts), self.layers):
            v = x[place].reshape((*shape, p), order='F')
            half = np.einsum('wd,dup->wup', inputs, part) if 0 not in rotated else np.zeros((shape[0], rotated[1], p))
            if complement is not None:
                inside = v if outputs is None else np.einsum('wop,ou->wup', v, outputs)
                half = half - np.einsum('xw,wup->xup', complement, inside)
            back = half if outputs is None else np.einsum('wup,ou->wop', half, outputs)
            if complement is not None:
                back = back + np.einsum('xw,wop->xop', complement, v)
            y[place] = back.reshape((-1, p), order='F')
        return y

    def flat(self, parts):
        return np.concatenate([part.reshape((-1, part.shape[2]), order='F') for part in parts])

    def unflat(self, z):
        ends = np.cumsum([d * u for *_, (d, u), _ in self.layers])[:-1]
        return [part.reshape((*layer[4], z.shape[1]), order='F') for part, layer in zip(np.split(z, ends), self.layers)]


class Eigenbasis(_Rotated):
    """A hierarchical matrix in the Kronecker eigenbasis."""

    def __init__(self, header, arrays):
        super().__init__(header, arrays)
        self.inner = Hierarchical(header['core'], within('core', arrays)) if header['core'] else None

    def core(self, parts):
        return [0 * part for part in parts] if self.inner is None else self.unflat(self.inner @ self.flat(parts))


class EigenbasisFactorization(_Rotated):
    """(G + λI)^-1 of a matrix in the Kronecker eigenbasis."""

    def __init__(self, header, arrays):
        self.shift = header['shift']
        super().__init__(header, arrays)
        self.inner = Factorization(header['core'], within('core', arrays)) if header['core'] else None

    def complement_of(self, number, width):
        a = np.asarray(self.arrays[f'complementValues.{number}'])
        vectors = block(self.arrays[f'complementVectors.{number}'], 0, width, width)
        return vectors * (-a / (self.shift * (a + self.shift))) @ vectors.T

    def core(self, parts):
        if self.inner is None:
            return [0 * part for part in parts]
        z = self.flat(parts)
        return self.unflat(self.inner @ z - z / self.shift)

    def _multiply(self, x):
        return super()._multiply(x) + x / self.shift


class KroneckerSum(_Rotated):
    """A sum of Kronecker products for every pair of layers."""

    def core(self, parts):
        arrays, pairs, shift = self.arrays, self.header['pairs'], self.header['shift']
        out = [shift * part for part in parts]
        for number, layer in enumerate(self.header['layers']):
            if layer['term']:
                d, e = (np.asarray(arrays[f'{name}.{number}']) for name in ('termInputs', 'termUnits'))
                out[number] += np.einsum('d,u,dup->dup', d, e, parts[number])
        groups = np.asarray(arrays['groups']).reshape(-1, 2)
        for k, (group, row, rows, column, columns) in enumerate(np.asarray(arrays['panels']).reshape(-1, 5)):
            pair, modes = pairs[groups[group, 0]], int(groups[group, 1])
            r, c = pair['row'], pair['column']
            m, units = parts[r].shape[1], parts[c].shape[1]
            start = arrays['mixingBegin'][group]
            if pair['diagonal']:
                diagonals = block(arrays['mixing'], start, modes, units)
                mixing = np.einsum('ju,uv->ujv', diagonals, np.eye(units))
            else:
                mixing = block(arrays['mixing'], start, m, modes * units).reshape((m, modes, units), order='F')
            values = block(arrays['values'], arrays['valuesBegin'][k], modes * rows, columns)
            s = values.reshape((rows, modes, columns), order='F')
            # Z_row(rows) += Σ_j S_j·Z_column(columns)·M_jᵀ, and the transpose beyond the layer's own diagonal.
            z = parts[c][column:column + columns]
            out[r][row:row + rows] += np.einsum('ijc,cvp,ujv->iup', s, z, mixing, optimize=True)
            beyond = rows if r == c else 0
            if columns > beyond:
                add = np.einsum('ijc,iup,ujv->cvp', s[:, :, beyond:], parts[r][row:row + rows], mixing, optimize=True)
                out[c][column + beyond:column + columns] += add
        return out


KINDS = {
    'kronecker sum': KroneckerSum,
    'kronecker eigenbasis': Eigenbasis,
    'kronecker factorization': EigenbasisFactorization,
}
