/**
 * The tables of Gauss–Newton matrices of networks of layers in docs/benchmarks.md, made from
 * bench/results/layer-hessian.json alone: `node dist/bench/layer-hessian-table.js` writes them again.
 */
import { hessianTable } from './hessian-table.js';
import { digits } from './labels.js';
import type { LayerHessianResult } from './layer-hessian.js';
import { remakeSection, replaceSection } from './section.js';

export function makeLayerHessianTables(results: readonly LayerHessianResult[]): string {
  const rates = results.map(({ table }) => digits(table.gflops.dgemm));
  const [{ table: first }] = results;
  return [
    `${first.blas}; ${first.workers} workers; dgemm ${rates.join(' and ')} GFLOP/s at the end of each. %K: bytes of ` +
      'everything stored. Errors of 500 columns, half a 95 % interval behind them. Product with one vector.',
    '',
    ...results.map(({ table }) => `${hessianTable(table)}\nrank(G) ≤ ${table.exact.rankBound.toLocaleString('en')}.\n`),
  ].join('\n');
}

/** Puts the tables between their markers in docs/benchmarks.md. */
export function writeLayerHessianTables(results: readonly LayerHessianResult[]): void {
  if (results.length > 0) replaceSection('layer-hessian', makeLayerHessianTables(results));
}

remakeSection(import.meta.url, 'layer-hessian', writeLayerHessianTables);
