//go:build ignore

// This program writes table.txt from confusables.txt of Unicode's security data, which is at
// https://www.unicode.org/Public/security/latest/confusables.txt:
//
//	go run generate.go < confusables.txt > table.txt
//
// A line of the source is "source ; target ; MA # comment", in code points. The table has a line for each, without the
// type and the comment, in the order of the sources, behind the two lines of the source that name its date and version.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
)

func main() {
	var header, entries []string
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "\ufeff")
		if strings.HasPrefix(line, "# Date:") || strings.HasPrefix(line, "# Version:") {
			header = append(header, line)
		}
		fields := strings.Split(line, ";")
		if strings.HasPrefix(line, "#") || len(fields) < 3 {
			continue
		}
		source, target := strings.TrimSpace(fields[0]), strings.Join(strings.Fields(fields[1]), " ")
		entries = append(entries, fmt.Sprintf("%6s\t%s", source, target))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	slices.Sort(entries)
	header = append(header, "# © Unicode, Inc. See https://www.unicode.org/license.txt")
	for _, line := range slices.Concat(header, entries) {
		fmt.Println(strings.TrimSpace(line))
	}
}
