/**
 * Progress on standard error: a bar on a terminal, else a line every so often of runs that take longer.
 */
import type { SingleBar } from 'cli-progress';
import type { Progress } from '../core/context.js';
import { inDigits } from '../core/number-text.js';
import { say, visible, writesResults } from './terminal.js';

/** Shows progress until it is stopped. */
export interface ProgressDisplay {
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Clears the bar; nothing is drawn afterwards. */
  stop(): void;
}

/** How values are called on a terminal. */
const NAMES: Readonly<Record<string, string>> = {
  damping: 'λ',
  cgIterations: 'CG',
  predictedSeconds: 'predicted seconds',
};

/** What is left at the rate so far; undefined before anything was done. */
function secondsLeft(
  begun: { readonly at: number; readonly done: number },
  done: number,
  total: number,
): number | undefined {
  const made = done - begun.done;
  return made > 0 ? ((performance.now() - begun.at) / 1000) * ((total - done) / made) : undefined;
}

function valuesText(values: Readonly<Record<string, number>>, left: number | undefined): string {
  const told = Object.entries(values).map(([name, value]) => `${NAMES[name] ?? name} ${inDigits(value, 3)}`);
  return [' ', ...told, ...(left === undefined ? [] : [`${Math.ceil(left)} s left`])].join(' ');
}

/** Seconds between lines; what is predicted to take as long is said beforehand. */
const SECONDS_A_LINE = 10;

/** Lines where standard error is a file or a pipe: none of a run that is soon over. */
function openLines(): ProgressDisplay {
  let last = performance.now();
  let stopped = false;
  return {
    onProgress: ({ phase, done, total, values = {}, warning }) => {
      if (warning !== undefined || stopped) return;
      const now = performance.now();
      const longer = (values['predictedSeconds'] ?? 0) >= SECONDS_A_LINE;
      if (!longer && now - last < 1000 * SECONDS_A_LINE) return;
      last = now;
      say(`${phase}: ${done} of ${total}${valuesText(values, undefined).trimEnd()}`);
    },
    stop: () => {
      stopped = true;
    },
  };
}

/** Where `wanted` a bar if standard error is a terminal, else lines. */
export async function openProgress(wanted: boolean): Promise<ProgressDisplay> {
  if (!wanted || !writesResults()) return { onProgress: undefined, stop: () => undefined };
  if (!process.stderr.isTTY) return openLines();
  const { default: cliProgress } = await import('cli-progress');
  const bar: SingleBar = new cliProgress.SingleBar(
    {
      format: '{phase} {bar} {percentage} %{values}',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 30,
      // A library that computes for tens of milliseconds at a time draws when it reports, not by a timer.
      noTTYOutput: false,
      fps: 20,
    },
    cliProgress.Presets.shades_classic,
  );
  let running: string | undefined;
  let whole = 0;
  let begun = { at: 0, done: 0 };
  return {
    onProgress: ({ phase, done, total, values, warning }) => {
      if (warning !== undefined) return;
      const label = visible(phase).padEnd(16);
      // Phases of one total are parts of the same work.
      if (total !== whole || done < begun.done) begun = { at: performance.now(), done };
      const text = values === undefined ? '' : valuesText(values, secondsLeft(begun, done, total));
      if (running === undefined) bar.start(Math.max(1, total), done, { phase: label, values: text });
      else {
        if (total !== whole) bar.setTotal(Math.max(1, total));
        bar.update(done, { phase: label, values: text });
      }
      running = phase;
      whole = total;
    },
    stop: () => {
      if (running !== undefined) bar.stop();
      running = undefined;
    },
  };
}
