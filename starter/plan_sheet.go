package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// sheet is what is written so far.
type sheet struct {
	b        strings.Builder
	plan     plan.Plan
	language string
}

// word is a word of the sheet's own, in its language.
func (s *sheet) word(key string) string {
	if text, known := planWords[key]; known {
		return text.In(s.language)
	}
	return key
}

func (s *sheet) words(keys ...string) []string {
	var words []string
	for _, key := range keys {
		words = append(words, s.word(key))
	}
	return words
}

func (s *sheet) text(text plan.Text) string { return text.In(s.language) }

func (s *sheet) texts(texts []plan.Text) []string {
	var said []string
	for _, text := range texts {
		said = append(said, s.text(text))
	}
	return said
}

// party is how people call a team, or the name of a role or a person as it is.
func (s *sheet) party(name string) string {
	for _, team := range s.plan.Teams {
		if team.Name == name {
			return s.text(team.Title)
		}
	}
	return name
}

func (s *sheet) parties(names []string) string {
	var parties []string
	for _, name := range names {
		parties = append(parties, s.party(name))
	}
	return strings.Join(parties, ", ")
}

// table writes a section with aligned columns, nothing when it has no rows. The columns are named by their words.
func (s *sheet) table(title string, columns []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(&s.b, "\n%s\n", printable(title))
	s.rows(append([][]string{s.words(columns...)}, rows...))
}

// rows writes lines whose cells stand under each other, however wide their letters are.
func (s *sheet) rows(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for column, cell := range row {
			if column == len(widths) {
				widths = append(widths, 0)
			}
			widths[column] = max(widths[column], ansi.StringWidth(printable(cell)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for column, cell := range row {
			cell = printable(cell)
			line.WriteString("  " + cell + strings.Repeat(" ", widths[column]-ansi.StringWidth(cell)))
		}
		s.b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// fields are rows of a name and a value; those without a value are left out.
func (s *sheet) fields(pairs ...[]string) {
	var rows [][]string
	for _, pair := range pairs {
		if pair[1] != "" {
			rows = append(rows, []string{s.word(pair[0]), pair[1]})
		}
	}
	s.rows(rows)
}

// listed are rows of one name and several values, the name before the first of them.
func (s *sheet) listed(key string, values []string, numbered bool) [][]string {
	var rows [][]string
	name := s.word(key)
	for i, value := range values {
		if numbered {
			value = strconv.Itoa(i+1) + ". " + value
		}
		rows = append(rows, []string{name, value})
		name = ""
	}
	return rows
}
