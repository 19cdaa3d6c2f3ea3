/**
 * The progress bar: on standard error, on a terminal only.
 */
import type { SingleBar } from 'cli-progress';
import type { Progress } from '../core/context.js';
import { inDigits } from './numbers.js';
import { visible } from './terminal.js';

/** Shows progress until it is stopped. */
export interface ProgressDisplay {
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Clears the bar; nothing is drawn afterwards. */
  stop(): void;
}

/** How values are called on a terminal. */
const NAMES: Readonly<Record<string, string>> = { damping: 'λ', cgIterations: 'CG' };

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

/** A bar where standard error is a terminal and `wanted`, else nothing at all. */
export async function openProgress(wanted: boolean): Promise<ProgressDisplay> {
  if (!wanted || !process.stderr.isTTY) return { onProgress: undefined, stop: () => undefined };
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
