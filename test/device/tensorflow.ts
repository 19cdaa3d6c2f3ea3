/**
 * TensorFlow.js for tests: the core and its backend for the processor. Where they are not installed, tests of the
 * device skip, saying so.
 */
import type * as TensorFlow from '@tensorflow/tfjs-core';

/** What a skipped test says. */
export const NO_TENSORFLOW = '@tensorflow/tfjs-core and @tensorflow/tfjs-backend-cpu are not installed (npm install)';

async function find(): Promise<typeof TensorFlow | undefined> {
  try {
    const tf = await import('@tensorflow/tfjs-core');
    await import('@tensorflow/tfjs-backend-cpu');
    // Else it recommends another package on the terminal.
    tf.env().set('IS_TEST', true);
    return tf;
  } catch {
    return undefined;
  }
}

/** TensorFlow.js, where it is installed. */
export const tensorFlow = await find();
