// The documents describe a version whose models are in `models/`; the one that npm has keeps them in `sdk/models/`, and
// names folders where node wants files. What TypeScript's compiler finds by itself is found here.
import { register } from 'node:module';

const hook = `
  export const resolve = (name, context, next) =>
    next(name === '@lukehagar/plexjs/models/shared' ? '@lukehagar/plexjs/sdk/models/shared/index.js' : name, context);
`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
