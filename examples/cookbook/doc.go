// Package cookbook has recipes for common uses of a scheduler, as packages to copy from. Begin with README.md.
package cookbook
