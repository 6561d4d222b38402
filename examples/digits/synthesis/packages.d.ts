// The synthesizer packages ship no types; their modules are described where they are used.
declare module '@echogarden/espeak-ng-emscripten' {
  const load: () => Promise<unknown>;
  export default load;
}
