/**
 * The tables of training in docs/benchmarks.md, made from bench/results/training.json alone: `node
 * dist/bench/training-table.js` writes them again.
 */
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';
import { RACES, type RaceResult, type StepsResult, type ThreadsResult, type TrainingResult } from './training-cases.js';

const shown = (value: number | null): string => (value === null ? 'not reached' : digits(value, 3));

function raceText(result: RaceResult): string {
  const { label, targets, of } = RACES.find(({ name }) => name === result.name)!;
  const [reference] = result.racers;
  const name = (target: number): string => (of === 'training loss' ? `${target}` : `${100 * target} %`);
  const rows = result.racers.map((racer) => {
    const cells = targets.map((_, k) => {
      const [own, theirs] = [racer.seconds[k], reference.seconds[k]];
      const share = own === null || theirs === null || racer === reference ? '' : ` (${digits(own / theirs)})`;
      return `${shown(own)}${share}`;
    });
    const rate = racer.learningRate === null ? '' : `, rate ${racer.learningRate}`;
    const title = `${racer.method}, batch ${racer.batchSize}${rate}${racer.tuned ? ', tuned' : ''}`;
    const epochs = racer.epochs.map(shown).join(', ');
    return `| ${[title, ...cells, epochs, digits(racer.validationLoss, 3), racer.seeds].join(' | ')} |`;
  });
  return [
    `**${label}**; ${result.data}; seconds of steps to a ${of} of ` +
      `${targets.map(name).join(' and ')} (share of Adam's).`,
    '',
    `| | ${targets.map(name).join(' | ')} | epochs | validation loss at the end | seeds |`,
    `|---|${targets.map(() => '---|').join('')}---|---|---|`,
    ...rows,
  ].join('\n');
}

function stepsText({ network, costs, sgemm }: StepsResult): string {
  const parts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([part, time]) => `${part} ${digits(time)}`)
      .join(', ');
  return [
    `**A step** of ${network}, one thread, sgemm (n = 512) ${digits(sgemm)} GFLOP/s; GFLOP/s credit the ` +
      "gradient's 6nN flops alone. A gradient with the update of its parameters, where the method makes both in one " +
      'pass, counts as gradient.',
    '',
    '| | batch | ms | gradients | in BLAS | GFLOP/s | ms by part |',
    '|---|---|---|---|---|---|---|',
    ...costs.map(
      ({ method, batchSize, milliseconds, gradients, blasShare, gflops, parts: of }) =>
        `| ${[
          method,
          batchSize,
          digits(milliseconds),
          digits(gradients),
          `${Math.round(100 * blasShare)} %`,
          digits(gflops),
          parts(of),
        ].join(' | ')} |`,
    ),
  ].join('\n');
}

function threadsText({ network, data, epochs }: ThreadsResult): string {
  return [
    `**An epoch** of ${network}; ${data}; by one thread, and by a team of two, which is used where its ` +
      'trial was faster.',
    '',
    '| | batch | 1 thread, s (GFLOP/s) | 2 threads, s (GFLOP/s) | faster by |',
    '|---|---|---|---|---|',
    ...epochs.map(
      ({ method, batchSize, seconds, gflops }) =>
        `| ${[
          method,
          batchSize,
          ...seconds.map((each, k) => `${digits(each, 3)} (${digits(gflops[k])})`),
          `${digits(seconds[0] / seconds[1])}×`,
        ].join(' | ')} |`,
    ),
  ].join('\n');
}

/** The tables as text. */
export function makeTrainingTables(results: readonly TrainingResult[]): string {
  const texts = results.map((result) =>
    result.kind === 'race' ? raceText(result) : result.kind === 'steps' ? stepsText(result) : threadsText(result),
  );
  return [`${results[0].blas}; one thread where nothing else is said. Medians over seeds.`, ...texts].join('\n\n');
}

/** Puts the tables between their markers in docs/benchmarks.md. */
export function writeTrainingTables(results: readonly TrainingResult[]): void {
  if (results.length > 0) replaceSection('training', makeTrainingTables(results));
}

remakeSection(import.meta.url, 'training', writeTrainingTables);
