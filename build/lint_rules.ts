/**
 * Rules for `deno lint` that are this project's own.
 *
 * @module
 */

/** Tests are not checked: their options are short-lived. */
const NOT_SHIPPED = /\/tests\//;

const plugin: Deno.lint.Plugin = {
  name: "plimsoll",
  rules: {
    /**
     * No object literal spread inside another: `f({ ...{ a, b }, c })`. TypeScript doesn't look for misspelt properties
     * in what is spread.
     */
    "no-spread-bundle": {
      create: (context) =>
        NOT_SHIPPED.test(context.filename.replaceAll("\\", "/")) ? {} : {
          "ObjectExpression > SpreadElement"(node) {
            const { argument } = node;
            if (argument.type !== "ObjectExpression") return;
            context.report({
              node,
              message: "Properties of a spread literal aren't checked for spelling: write them out",
              fix: (fixer) => {
                const inside = context.sourceCode.getText(argument).slice(1, -1).trim();
                // The node's own range ends behind the dots.
                const range: [number, number] = [node.range[0], argument.range[1]];
                return fixer.replaceTextRange(range, inside.replace(/,$/, ""));
              },
            });
          },
        },
    },
  },
};

export default plugin;
