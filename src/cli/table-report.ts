/**
 * The table of approximations for people, made from its record alone.
 */
import type { TableRecord, TableRow } from '../experiment/table-record.js';
import { grouped, inBytes, inPercent, inPowers, inSeconds } from '../core/number-text.js';
import { blasLines, sampleLines, table } from './tables.js';

/** An error; with what it may be off by where it is an estimate. */
function errorCell({ error }: TableRow): string {
  return error.exact
    ? inPowers(error.relative)
    : `${inPowers(error.relative)} ± ${((error.high - error.low) / 2).toExponential(0)}`;
}

/** λ_min; a ~ where its sign is not settled. */
function eigenvalueCell({ lambdaMin, lambdaMinBound }: TableRow): string {
  if (Number.isNaN(lambdaMin)) return '?';
  return `${lambdaMin !== 0 && Math.abs(lambdaMin) <= lambdaMinBound ? '~' : ''}${inPowers(lambdaMin)}`;
}

const detailsOf = (row: TableRow): string =>
  Object.entries(row.details)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(2) : value}`,
    )
    .join(', ');

/** How the errors were found: which are exact, and by what. */
function howMeasured(rows: readonly TableRow[]): string {
  const estimated = rows.find(({ error }) => !error.exact);
  const ways = [
    rows.some(({ compared }) => !compared) ? 'exact by ‖G − G̃‖² = ‖G‖² − 2⟨G, G̃⟩ + ‖G̃‖²' : '',
    rows.some(({ compared, error }) => compared && error.exact) ? 'exact by all columns' : '',
    estimated === undefined
      ? ''
      : `± half a 95 % interval, from ${estimated.error.columns} columns, where it is estimated`,
  ];
  return ways.filter((way) => way !== '').join(', or ');
}

/** The printed table; `portable` adds that a system library would be faster. */
export function tableReport(record: TableRecord, portable: boolean): string {
  const {
    network,
    size,
    activation,
    loss,
    bias,
    samples,
    data,
    training,
    exact,
    rows,
    skipped,
    vectors,
    seconds,
    memory,
    seed,
    workers,
  } = record;
  const trained =
    training.epochs > 0
      ? `${training.epochs} epochs of Adam in ${inSeconds(training.seconds)} s`
      : 'not trained further';
  return [
    `network ${network} (${activation}, ${loss}${bias ? ', biases' : ''}), N = ${grouped(size)} parameters, n = ` +
      `${grouped(samples)} of ${data}, seed ${seed}, ${workers} worker${workers === 1 ? '' : 's'}`,
    ...sampleLines(record),
    `${training.weights === null ? '' : `weights from ${training.weights}, `}${trained}; mean loss ` +
      `${training.loss.toPrecision(4)}`,
    table(
      ['method', '%K', 'ε_F', 'λ_min', 'build, s', 'product, s'],
      rows.map((row) => [
        row.method,
        inPercent(row.share),
        errorCell(row),
        eigenvalueCell(row),
        inSeconds(row.seconds.build),
        inSeconds(row.seconds.apply),
      ]),
    ),
    ...rows.filter(({ details }) => Object.keys(details).length > 0).map((row) => `  ${row.method}: ${detailsOf(row)}`),
    ...rows.flatMap(({ method, note }) => (note === undefined ? [] : [`${method}: ${note}.`])),
    ...skipped.map(({ method, reason }) => `${method} left out: ${reason}`),
    `%K: bytes stored over those of the dense matrix (${inBytes(8 * size ** 2)}). ε_F = ‖G − G̃‖/‖G‖ ` +
      `(Frobenius), ${howMeasured(rows)}; measured in ${inSeconds(seconds.error)} s. ` +
      `λ_max(G) = ${inPowers(exact.lambdaMax)}; ~: sign not settled.`,
    ...(vectors === 1 ? [] : [`product: with ${vectors} vectors at a time`]),
    `G itself, without a matrix: ${inBytes(exact.bytes)} of data and activations (${inPercent(exact.share)}), ` +
      `exact, ${inSeconds(exact.seconds.build)} s to prepare, ${inSeconds(exact.seconds.apply)} s a ` +
      `product${vectors === 1 ? '' : ` with ${vectors} vectors`}; it grows with n. rank(G) ≤ ` +
      `${grouped(exact.rankBound)}.`,
    `in all ${inSeconds(seconds.total)} s; memory of the process at its peak: ${inBytes(memory.peakBytes)}`,
    ...blasLines(record.blas, record.gflops.dgemm, portable),
  ].join('\n');
}
