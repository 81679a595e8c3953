package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"runtime"
)

// wait is a program that asks the kernel, for ever, to wait for a signal. containerd ends it with SIGKILL.
var wait = map[string]struct {
	machine elf.Machine
	code    []byte
}{
	"amd64": {elf.EM_X86_64, []byte{
		0xb8, 0x22, 0x00, 0x00, 0x00, // mov $34 (pause), %eax
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp back to the beginning
	}},
	"arm64": {elf.EM_AARCH64, []byte{
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0
		0x01, 0x00, 0x80, 0xd2, // mov x1, #0
		0x02, 0x00, 0x80, 0xd2, // mov x2, #0
		0x03, 0x00, 0x80, 0xd2, // mov x3, #0
		0x04, 0x00, 0x80, 0xd2, // mov x4, #0
		0x28, 0x09, 0x80, 0xd2, // mov x8, #73 (ppoll)
		0x01, 0x00, 0x00, 0xd4, // svc #0
		0xf9, 0xff, 0xff, 0x17, // b back to the beginning
	}},
}

// pauseProgram is the program that keeps a pod's namespaces: a static executable of some 130 bytes.
//
// It is written here because a pod's first container gets nothing of the machine's /usr, and a compiled program would
// have to be built and found beside the lab's own.
func pauseProgram() ([]byte, error) {
	program, known := wait[runtime.GOARCH]
	if !known {
		return nil, fmt.Errorf("no pause program for %s: the lab runs on amd64 and arm64", runtime.GOARCH)
	}
	const base = 0x400000
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(program.machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Entry: base + 64 + 56,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	size := uint64(64 + 56 + len(program.code))
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000}
	var buffer bytes.Buffer
	for _, part := range []any{header, segment, program.code} {
		if err := binary.Write(&buffer, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), nil
}
