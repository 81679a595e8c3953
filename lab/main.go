// Command lab brings up a whole estate on one machine, breaks it, mends it and takes it away.
package main

import (
	"os"

	"github.com/shodo-ecosystem/fukkyu/lab/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
