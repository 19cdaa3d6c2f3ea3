/**
 * worker-browser.ts with all task definitions and factories of sources, as one script; scripts/build-package.mjs writes
 * the module itself into dist/.
 */
/** The worker's script, as text. */
export declare const workerSource: string;
