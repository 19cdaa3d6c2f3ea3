/** Progress off a terminal: a line every so often, and none of a run that is soon over. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openProgress } from '#hmatrix/cli/progress.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** The lines on standard error while `run` is told the time, in seconds. */
async function linesOf(
  run: (display: Awaited<ReturnType<typeof openProgress>>, at: (seconds: number) => void) => void,
  wanted = true,
): Promise<string[]> {
  const { isTTY } = process.stderr;
  const lines: string[] = [];
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  process.stderr.isTTY = false;
  try {
    run(await openProgress(wanted), (seconds) => (now = 1000 * seconds));
  } finally {
    process.stderr.isTTY = isTTY;
    vi.restoreAllMocks();
  }
  return lines;
}

describe('progress off a terminal', () => {
  it('is_a_line_every_ten_seconds_with_its_values', async () => {
    const lines = await linesOf(({ onProgress, stop }, at) => {
      for (let second = 0; second <= 25; second++) {
        at(second);
        onProgress?.({ phase: 'refinement', done: second, total: 40, values: { residual: 1e-3 } });
      }
      stop();
      at(60);
      onProgress?.({ phase: 'refinement', done: 40, total: 40 });
    });
    expect(lines).toEqual([
      'hmatrix: refinement: 10 of 40  residual 0.001\n',
      'hmatrix: refinement: 20 of 40  residual 0.001\n',
    ]);
  });

  it('says_beforehand_what_is_going_to_take_long', async () => {
    const lines = await linesOf(({ onProgress }) => {
      onProgress?.({ phase: 'refinement', done: 0, total: 2, values: { predictedSeconds: 3 } });
      onProgress?.({ phase: 'refinement', done: 0, total: 2, values: { predictedSeconds: 30 } });
    });
    expect(lines).toEqual(['hmatrix: refinement: 0 of 2  predicted seconds 30\n']);
  });

  it('is_nothing_of_warnings_and_where_it_is_not_wanted', async () => {
    const warned = await linesOf(({ onProgress }, at) => {
      at(100);
      onProgress?.({ phase: 'compress', done: 0, total: 1, warning: 'beware' });
    });
    const quiet = await linesOf(({ onProgress }, at) => {
      at(100);
      onProgress?.({ phase: 'compress', done: 0, total: 1 });
    }, false);
    expect([...warned, ...quiet]).toEqual([]);
  });
});
