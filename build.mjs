import { build } from '/tmp/w2/play/node_modules/vite/dist/node/index.js';
await build({ root: '/tmp/w2/mine/v', configFile: false, logLevel: 'info', base: './', build: { outDir: '/tmp/w2/mine/v/dist', emptyOutDir: true, target: 'es2022' }, worker: { format: 'es' } });
