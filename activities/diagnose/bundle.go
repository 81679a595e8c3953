package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Evidence is for those who look into an incident, and may say more of the estate than everybody should know.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// keep writes the bundle. That it cannot be written is one more thing that is not well: the diagnosis itself is worth more.
func (l *look) keep(ctx context.Context, folder string) {
	l.Bundle = folder
	files, err := l.files()
	if err == nil {
		_, ok := ask(ctx, l, "write the bundle into "+folder, probeTimeout, func(context.Context) (struct{}, error) {
			return struct{}{}, write(folder, files)
		})
		if ok {
			return
		}
	}
	l.Bundle = ""
	l.judge()
}

// file is one of the bundle.
type file struct {
	name string
	text []byte
}

func (l *look) files() ([]file, error) {
	document, err := json.MarshalIndent(l.Diagnosis, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the diagnosis as JSON: %w", err)
	}
	logs, err := archive(l)
	if err != nil {
		return nil, fmt.Errorf("pack the logs: %w", err)
	}
	return []file{{"diagnosis.json", append(document, '\n')}, {"diagnosis.md", []byte(l.Markdown())}, {"logs.tar.gz", logs}}, nil
}

// archive packs the logs, one file for each pod.
func archive(l *look) ([]byte, error) {
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	files := tar.NewWriter(compressed)
	for _, log := range l.logs {
		text := strings.Join(log.lines, "\n") + "\n"
		header := &tar.Header{Name: path.Join(log.service, log.pod+".log"), Mode: fileMode, Size: int64(len(text)), ModTime: l.At}
		if err := files.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := files.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	err := compressed.Close()
	return packed.Bytes(), err
}

func write(folder string, files []file) error {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(folder, file.name), file.text, fileMode); err != nil {
			return err
		}
	}
	return nil
}
