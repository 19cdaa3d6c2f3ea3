/**
 * Conjugate gradients on the exact matrix, preconditioned by a loose compression that is factored at the same shift:
 * 2,000 points, tens of steps instead of hundreds. Run: npm run build && node examples/preconditioned-solve.mjs
 */
import { compress, factor, kernelSource } from 'hmatrix';
import { zeros } from 'hmatrix/dense';
import { gaussian } from 'hmatrix/kernels';
import { conjugateGradients } from 'hmatrix/krylov';
import { entryOperator, shifted } from 'hmatrix/operators';
import { RandomStream } from 'hmatrix/random';

const size = 2000;
const points = { dimension: 3, count: size, coordinates: new Float64Array(3 * size) };
new RandomStream(1).fillNormal(points.coordinates);
const source = kernelSource(points, gaussian(1));

const shift = 1e-2;
const matrix = await compress(source, { tolerance: 1e-3, leafSize: 128 });
const preconditioner = await factor(matrix, { shift: 10 * shift });

const b = zeros(size, 1);
new RandomStream(2).fillNormal(b.data);
const operator = shifted(await entryOperator(source), shift);
const plain = conjugateGradients(operator, b, zeros(size, 1), { relativeTolerance: 1e-8 });
const faster = conjugateGradients(operator, b, zeros(size, 1), { preconditioner, relativeTolerance: 1e-8 });
console.log(plain.outcome, faster.outcome); // → converged converged
console.log(5 * faster.iterations < plain.iterations); // → true
