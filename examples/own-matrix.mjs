/**
 * A matrix of one's own, evaluated on all workers (sources/brownian-motion.mjs): it is compressed, factored, sampled
 * from and saved. Run: npm run build && node examples/own-matrix.mjs
 */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compress, factor } from 'hmatrix';
import { load, save } from 'hmatrix/io';
import { brownianMotion } from './sources/brownian-motion.mjs';

const source = brownianMotion({ size: 5000 });
// Off-diagonal blocks have rank one, and the indices' own order is the right one.
const matrix = await compress(source, { distance: 'lexicographic', leafSize: 64, maxRank: 8, tolerance: 1e-10 });
const { relative } = await matrix.estimateError(source, { tolerance: 1e-10 });
console.log(relative < 1e-10, matrix.memory().share < 0.01); // → true true

// A path of the motion, from its covariance: F·z for K̃ = F·Fᵀ and standard normal z.
const factorization = await factor(matrix);
const path = factorization.sample({ seed: 1 });
console.log(path.rows); // → 5000
// det K = Π of the increments' variances, 1/N each.
console.log(Math.abs(factorization.logdet + 5000 * Math.log(5000)) < 1e-3); // → true

const file = join(tmpdir(), `brownian-${process.pid}.hm`);
await save(file, matrix);
const same = await load(file, { kind: 'hierarchical matrix' });
console.log(same.size, same.report.format); // → 5000 hss
rmSync(file);
