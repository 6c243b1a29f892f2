// Package cookbook has recipes: what people do with a scheduler, as packages to copy from. README.md is the way in.
package cookbook
