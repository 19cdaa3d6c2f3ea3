/**
 * The progress bar: on standard error, on a terminal only.
 */
import type { SingleBar } from 'cli-progress';
import type { Progress } from '../core/context.js';
import { visible } from './terminal.js';

/** Shows progress until it is stopped. */
export interface ProgressDisplay {
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Clears the bar; nothing is drawn afterwards. */
  stop(): void;
}

/** A bar where standard error is a terminal and `wanted`, else nothing at all. */
export async function openProgress(wanted: boolean): Promise<ProgressDisplay> {
  if (!wanted || !process.stderr.isTTY) return { onProgress: undefined, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const bar: SingleBar = new cliProgress.SingleBar(
    {
      format: '{phase} {bar} {percentage} %',
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
  return {
    onProgress: ({ phase, done, total, warning }) => {
      if (warning !== undefined) return;
      const label = visible(phase).padEnd(16);
      if (running === undefined) bar.start(Math.max(1, total), done, { phase: label });
      else {
        if (running !== phase) bar.setTotal(Math.max(1, total));
        bar.update(done, { phase: label });
      }
      running = phase;
    },
    stop: () => {
      if (running !== undefined) bar.stop();
      running = undefined;
    },
  };
}
