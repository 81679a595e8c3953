// Package image writes container images without a registry: one OCI archive that containerd imports in one call.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
)

// Media types of the OCI image format.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// Image is an image of one layer.
type Image struct {
	Name       string // with a dotted host and a tag, such as lab.local/host:1, so that containerd takes it as it is
	Entrypoint []string
	Entries    []Entry
}

// Entry is a folder, a symbolic link or a file of the layer. Parent folders come before what is in them.
type Entry struct {
	Path string // absolute
	Mode int64
	Link string // set: a symbolic link to this
	Data []byte // set: a file; neither: a folder
}

type descriptor struct {
	MediaType   string            `json:"mediaType,omitempty"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	Manifests     []descriptor `json:"manifests"`
}

// archive collects blobs by digest, so that images with the same layer share it.
type archive struct {
	blobs map[string][]byte
	order []string
}

func (a *archive) add(mediaType string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	if _, known := a.blobs[digest]; !known {
		a.blobs[digest] = data
		a.order = append(a.order, digest)
	}
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(data)}
}

// Write writes the images as one OCI archive. The same images always give the same bytes, so that a checksum tells
// whether a machine has them already.
func Write(out io.Writer, images []Image) error {
	blobs := archive{blobs: map[string][]byte{}}
	var list index
	list.SchemaVersion = 2
	for _, image := range images {
		described, err := blobs.image(image)
		if err != nil {
			return fmt.Errorf("write image %s: %w", image.Name, err)
		}
		list.Manifests = append(list.Manifests, described)
	}
	indexJSON, err := json.Marshal(list)
	if err != nil {
		return err
	}
	tarball := tar.NewWriter(out)
	files := []Entry{{Path: "oci-layout", Data: []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {Path: "index.json", Data: indexJSON}}
	for _, digest := range blobs.order {
		files = append(files, Entry{Path: "blobs/sha256/" + digest, Data: blobs.blobs[digest]})
	}
	for _, file := range files {
		if err := tarball.WriteHeader(&tar.Header{Name: file.Path, Mode: 0o644, Size: int64(len(file.Data))}); err != nil {
			return err
		}
		if _, err := tarball.Write(file.Data); err != nil {
			return err
		}
	}
	return tarball.Close()
}

func (a *archive) image(image Image) (descriptor, error) {
	layerTar, err := layer(image.Entries)
	if err != nil {
		return descriptor{}, err
	}
	layerBlob := a.add(layerType, layerTar)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": image.Entrypoint, "Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerBlob.Digest}},
	})
	if err != nil {
		return descriptor{}, err
	}
	manifestJSON, err := json.Marshal(manifest{SchemaVersion: 2, MediaType: manifestType, Config: a.add(configType, config), Layers: []descriptor{layerBlob}})
	if err != nil {
		return descriptor{}, err
	}
	described := a.add(manifestType, manifestJSON)
	described.Annotations = map[string]string{
		"io.containerd.image.name":          image.Name,
		"org.opencontainers.image.ref.name": image.Name[strings.LastIndex(image.Name, ":")+1:],
	}
	return described, nil
}

func layer(entries []Entry) ([]byte, error) {
	var buffer bytes.Buffer
	tarball := tar.NewWriter(&buffer)
	for _, entry := range entries {
		header := &tar.Header{Name: strings.TrimPrefix(entry.Path, "/"), Mode: entry.Mode, Format: tar.FormatPAX}
		switch {
		case entry.Link != "":
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, entry.Link, 0o777
		case entry.Data != nil:
			header.Typeflag, header.Size = tar.TypeReg, int64(len(entry.Data))
		default:
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		}
		if err := tarball.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := tarball.Write(entry.Data); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), tarball.Close()
}
