// A user's CommonJS file: Node loads ES modules by require() when nothing in them awaits at top level.
const assert = require('node:assert/strict');
const { Trainer, loadConfig } = require('anemone-ml');
const { State } = require('anemone-ml/engine');
const { decodeAudio } = require('anemone-ml/audio');

assert.equal(typeof Trainer, 'function');
assert.equal(typeof loadConfig, 'function');
assert.equal(typeof decodeAudio, 'function');
assert.equal(new State('x', [2, 3]).size, 6);
console.log('CommonJS');
