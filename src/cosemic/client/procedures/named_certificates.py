"""Certificates of a Security setup: how they are named, and whether what a meter gives is what was asked for."""

from __future__ import annotations

from cosemic.errors import CertificateError
from cosemic.model.security_setup import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateIdentification,
    CertificateIdentificationType,
    CertificateInfo,
    CertificateType,
    KeyPair,
)
from cosemic.security.certificates import Certificate, CertificateRequest
from cosemic.security.certificates.certificate_store import serial_numbers

Which = CertificateByEntity | CertificateBySerial
"""How a certificate is named."""


def by_serial(row: CertificateInfo) -> CertificateBySerial:
    """Return how a certificate of :meth:`SecurityProcedures.certificates` is named, in the form of the meter."""
    return CertificateBySerial(row.serial_number, row.issuer)


def named(which: Which) -> CertificateIdentification:
    """Return the parameter that names a certificate."""
    by_entity = isinstance(which, CertificateByEntity)
    kind = CertificateIdentificationType.BY_ENTITY if by_entity else CertificateIdentificationType.BY_SERIAL
    return CertificateIdentification(kind, which)


def check_named(certificate: Certificate, which: Which) -> None:
    """Raise CertificateError for another certificate than the one that was named."""
    if isinstance(which, CertificateBySerial):
        numbers = serial_numbers(which.serial_number)
        fine = certificate.issuer == which.issuer and certificate.serial_number in numbers
    elif which.certificate_entity == CertificateEntity.CERTIFICATION_AUTHORITY:
        fine = certificate.is_authority
    else:
        expected = which.system_title, which.certificate_type
        fine = (certificate.system_title, certificate.type) == expected
    if not fine:
        raise CertificateError(f"the meter gives {certificate}, which is not the one that was named: do not use it")


def check_request(request: CertificateRequest, use: KeyPair, title: bytes | None) -> None:
    """Raise CertificateError for a request for another use, or in the name of somebody else than the meter.

    title: system title of the meter; None where it is not known. A request may leave both unsaid.
    """
    asked = request.system_title
    if title is not None and asked is not None and asked != title:
        raise CertificateError(
            f"the meter {title.hex().upper()} asks for a certificate of {asked.hex().upper()}: do not have it issued"
        )
    if request.type not in (None, CertificateType(use.value)):
        raise CertificateError(f"the meter asks for a certificate for {request.type.label}, not for {use.label}")
